"""Imports and exports on the real database."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tracemalloc
from datetime import timedelta
from pathlib import Path

import pytest

from catalogue import REAL, World, catalogue, goods, many, numbers, pieces
from fairwind.catalog.commands.files import CHUNK_LINES
from fairwind.catalog.files.columns import UnknownFormat
from fairwind.kernel import Database, NotFound


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


async def test_every_valid_line_comes_in_and_each_other_is_named_with_its_number(world: World):
    shop = await world.shop()
    data = catalogue(
        {},
        {"price_yuan": "1.999"},
        {"brief": "两行\n的简介"},  # lines 4 and 5 of the file
        {"title": "长" * 256},
        {"product_code": "P00000", "title": "羊毛被 0"},
        {"product_code": "P00000", "title": "别的", "spec": "大"},
        {"stock": "-3"},
        {},
    ).replace("羊毛被 7", "羊\0毛")

    report = await world.bring(shop.id, data + 'P9,"open\n' + "P9,short\n")

    assert [(line.line, line.reason.split()[0]) for line in report.refused_lines] == [
        (3, "price_yuan"), (6, "title"), (7, "is"), (8, "says"), (9, "stock"), (10, "holds"), (11, "opens"),
        (12, "has"),
    ]  # fmt: skip
    assert (report.lines, report.refused, report.skus_created, report.products_created) == (10, 8, 2, 2)
    assert len((await world.rows(shop.id))["catalog.sku"]) == 2


async def test_a_second_import_of_the_same_file_changes_nothing(world: World):
    shop = await world.shop()
    data = many(CHUNK_LINES + 500) + "P00000,again,,,,,,0,1,1,1,1\n"
    first = await world.bring(shop.id, data)
    before = await world.rows(shop.id)
    world.clock.advance(timedelta(hours=1))

    second = await world.bring(shop.id, data, piece_bytes=1000)

    assert (first.skus_created, first.refused) == (CHUNK_LINES + 500, 1)
    assert second.skus_unchanged == CHUNK_LINES + 500
    assert second.products_created == second.products_changed == second.skus_created == second.skus_changed == 0
    assert second.refused_lines == first.refused_lines
    assert await world.rows(shop.id) == before
    assert before["catalog.import_key"] == []


@pytest.mark.skipif(not REAL.exists(), reason="the real catalogue is not here")
async def test_the_real_catalogue_comes_in_whole(world: World):
    shop = await world.shop()
    report = await world.bring(shop.id, REAL.read_bytes())
    assert (report.lines, report.skus_created, report.refused) == (244, 244, 0)
    assert sum(row.adjusted_quantity for row in (await world.rows(shop.id))["inventory.stock"]) > 20_000


@pytest.mark.parametrize("form", ["fairwind", "shopify"])
async def test_an_export_fills_an_empty_shop_the_same(world: World, form):
    first, second = await world.shop(), await world.shop()
    await world.bring(first.id, REAL.read_bytes() if REAL.exists() else many(300))
    await world.bring(
        first.id,
        catalogue(
            {"product_code": "=1+1", "title": "@SUM(A1)", "brief": "一\n二 <b> & \"三\"", "spec": "-5℃, 大"},
            {"product_code": "'=x", "title": "+", "brief": "'", "category": "", "parent_category": "", "unit": ""},
            {"product_code": "off", "title": "下架", "spec": "一", "on_sale": "0"},
            {"product_code": "half", "title": "半", "spec": "一", "on_sale": "0"},
            {"product_code": "half", "title": "半", "spec": "二", "stock": "0", "list_price_yuan": "459.00"},
        ),
    )  # fmt: skip
    out = await world.exported(first.id, form)

    report = await world.bring(second.id, out)

    assert report.refused_lines == []
    assert await world.exported(second.id, form) == out
    again = await world.bring(first.id, out)
    assert (again.skus_unchanged, again.skus_changed, again.products_changed) == (report.lines, 0, 0)


async def test_a_product_taken_off_the_shelf_stays_off_through_export_and_import(world: World):
    first, second = await world.shop(), await world.shop()
    await world.bring(first.id, many(3))
    [product] = await world.catalog.products(first.id, "", "", 10)
    await world.catalog.shelve_product(first.id, product.id, on_shelf=False)

    await world.bring(second.id, await world.exported(first.id))

    [copy] = await world.catalog.products(second.id, "", "", 10)
    with pytest.raises(NotFound):
        await world.catalog.product(second.id, copy.id, whole=False)


async def test_a_large_export_comes_in_pieces_in_one_order(world: World):
    shop = await world.shop()
    await world.bring(shop.id, many(2500))
    sizes = [len(piece) async for piece in await world.catalog.export(shop.id)]
    lines = (await world.exported(shop.id)).splitlines()
    assert len(sizes) == 4
    assert lines[1:] == sorted(lines[1:])
    assert len(set(lines)) == 2501


async def test_an_import_that_is_killed_is_finished_by_the_next(world: World, database_url: str):
    shop, whole = await world.shop(), await world.shop()
    data = many(3 * CHUNK_LINES)

    killed = await asyncio.to_thread(_import_and_be_killed, database_url, shop.id, data)

    there = len((await world.rows(shop.id))["catalog.sku"])
    assert killed == -signal.SIGKILL
    assert CHUNK_LINES <= there < 3 * CHUNK_LINES
    assert there % CHUNK_LINES == 0, "a chunk comes in whole or not at all"
    report = await world.bring(shop.id, data)
    await world.bring(whole.id, data)
    assert (report.skus_unchanged, report.skus_created) == (there, 3 * CHUNK_LINES - there)
    assert await world.exported(shop.id) == await world.exported(whole.id)


def _import_and_be_killed(database_url: str, shop_id: int, data: str) -> int:
    """Import data in a process that is killed when it has told of its first chunk; answers how it ended."""
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, database_url, str(shop_id)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    assert child.stdin
    assert child.stdout
    cut = data.index("\n", len(data) * 4 // 5)
    child.stdin.write(data[:cut].encode())
    child.stdin.flush()
    assert child.stdout.readline() == b"told\n"
    child.send_signal(signal.SIGKILL)
    return child.wait(30)


_CHILD = """
import asyncio, sys
from catalogue import World
from fairwind.kernel import Database, ShopId

async def stdin():
    while piece := await asyncio.to_thread(sys.stdin.buffer.read1, 65536):
        yield piece

async def main(url, shop_id):
    async with Database(url) as database:
        tell = lambda _: print("told", flush=True)
        await World(database).catalog.import_file(ShopId(int(shop_id)), stdin(), progress=tell)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_two_imports_of_one_file_at_once_end_like_one(world: World):
    shop = await world.shop()
    data = many(900)
    reports = await asyncio.gather(*(world.bring(shop.id, data) for _ in range(3)))
    rows = await world.rows(shop.id)
    assert sum(report.skus_created for report in reports) == 900
    assert all(report.refused == 0 for report in reports)
    assert (len(rows["catalog.product"]), len(rows["catalog.sku"]), len(rows["inventory.stock"])) == (300, 900, 900)
    assert {row.adjusted_quantity for row in rows["inventory.stock"]} == {100}


async def test_memory_does_not_grow_with_the_file(world: World):
    peaks = []
    for chunks in (1, 4):
        shop, data = await world.shop(), many(chunks * CHUNK_LINES).encode()
        tracemalloc.start()
        await world.catalog.import_file(shop.id, pieces(data))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.3 + 500_000


async def test_stock_in_the_file_is_for_new_skus_only(world: World):
    shop = await world.shop()
    await world.bring(shop.id, catalogue({"stock": "5"}))
    await world.bring(shop.id, catalogue({"stock": "9"}, {"stock": "7"}))
    assert [row.adjusted_quantity for row in (await world.rows(shop.id))["inventory.stock"]] == [5, 7]
    assert [line.split(",")[-2] for line in (await world.exported(shop.id)).splitlines()[1:]] == ["5", "7"]


async def test_prices_only_files_change_prices_only(world: World):
    shop = await world.shop()
    await world.bring(shop.id, catalogue({}))
    report = await world.bring(shop.id, "product_code,title,spec,price_yuan\nP00000,羊毛被 0,标准,9.90\n")
    assert (report.skus_changed, report.products_changed) == (1, 0)
    [line] = (await world.exported(shop.id)).splitlines()[1:]
    assert line == "P00000,羊毛被 0,暖,被枕,居家,MUJI,件,标准,9.90,479.00,100,1"


async def test_missing_categories_are_added_once_and_found_again(world: World):
    shop = await world.shop()
    names = [("甲一", "甲零"), ("甲二", "甲零"), ("甲零", ""), ("甲一", "")]
    await world.bring(shop.id, catalogue(*({"category": name, "parent_category": parent} for name, parent in names)))
    async with world.database.transaction() as tx:
        rows = await tx.rows("SELECT depth, name FROM catalog.category WHERE name LIKE '甲%%' ORDER BY depth, name")
    assert [tuple(row) for row in rows] == [(1, "甲一"), (1, "甲零"), (2, "甲一"), (2, "甲二")]


async def test_gb18030_and_a_byte_order_mark_make_no_difference(world: World):
    texts = []
    for encoding in ("utf-8", "utf-8-sig", "gb18030"):
        shop = await world.shop()
        report = await world.bring(shop.id, many(30).encode(encoding))
        assert report.encoding == ("gb18030" if encoding == "gb18030" else "utf-8")
        texts.append(await world.exported(shop.id))
    assert len(set(texts)) == 1


async def test_a_file_that_is_no_catalogue_changes_nothing(world: World):
    shop = await world.shop()
    for data in ("", "name,price\na,1\n", "\n\n"):
        with pytest.raises(UnknownFormat):
            await world.bring(shop.id, data)
    assert not any((await world.rows(shop.id)).values())


async def test_a_shop_that_is_not_there_takes_no_file(world: World):
    with pytest.raises(NotFound):
        await world.bring(10**12, catalogue({}))  # type: ignore[arg-type]


async def test_refused_lines_are_told_one_by_one_and_the_first_thousand_reported(world: World):
    shop, told = await world.shop(), []
    data = many(2500, price_yuan="free")
    report = await world.catalog.import_file(shop.id, pieces(data), refused=told.append)
    assert (report.refused, len(report.refused_lines)) == (2500, 1000)
    assert list(numbers(told)) == list(range(2, 2502))


async def test_what_an_interrupted_import_left_behind_is_dropped_later(world: World, database: Database):
    shop = await world.shop()
    async with database.transaction() as tx:
        await tx.execute(
            "INSERT INTO catalog.import_key VALUES (%s, gen_random_uuid(), 'P', '', 2, NULL, %s)",
            (shop.id, world.now().replace(year=2020)),
        )
    await world.bring(shop.id, catalogue(goods(0)))
    assert (await world.rows(shop.id))["catalog.import_key"] == []


async def test_a_product_comes_back_on_the_shelf_for_the_named_skus_alone(world: World):
    shop = await world.shop()
    await world.bring(shop.id, many(3))
    [product] = await world.catalog.products(shop.id, "", "", 10)
    await world.catalog.shelve_product(shop.id, product.id, on_shelf=False)

    report = await world.bring(shop.id, catalogue({"product_code": "P00000", "title": "羊毛被 0", "spec": "1"}))

    shown = await world.catalog.product(shop.id, product.id, whole=False)
    assert [sku.spec for sku in shown.skus] == ["1"]
    assert (report.skus_changed, report.refused) == (1, 0)
