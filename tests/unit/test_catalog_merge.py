"""How the lines of a file meet what a shop has."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fairwind.catalog.assortment import Assortment
from fairwind.catalog.files.lines import Key, Line, Merged, RefusedLine, Words, merge
from fairwind.catalog.product import SKUS_MAX, Product, Sku

NOW = datetime(2020, 6, 18, tzinfo=UTC)
_ids = count(1000)


def line(number: int, code: str = "P1", spec: str = "大", **said: object) -> Line:
    words = Words(str(said.pop("title", "羊毛被")), None, None, None, None)
    fine = {"price_fen": 100, "list_price_fen": 200, "stock": 5, "on_sale": True}
    return Line(number=number, code=code, words=words, spec=spec, **(fine | said))  # type: ignore[arg-type]


def shop(
    products: Iterable[Product] = (), skus: Iterable[Sku] = (), counts: dict[int, int] | None = None
) -> Assortment:
    return Assortment(1, NOW, products, skus, counts or {}, _ids)  # type: ignore[arg-type]


def brought(lines: list[Line], before: Assortment | None = None) -> tuple[Merged, Assortment]:
    """lines merged into what the assortment before holds, as a later chunk would find it."""
    assortment = shop()
    if before is not None:
        counts = dict.fromkeys(before.products, 0)
        for sku in before.skus.values():
            counts[sku.product_id] += 1
        assortment = shop(before.products.values(), before.skus.values(), counts)
    return merge(lines, {}, {}, assortment), assortment


def on_sale(assortment: Assortment) -> dict[str, bool]:
    return {sku.spec: sku.on_shelf and assortment.products[sku.product_id].on_shelf for sku in assortment.skus.values()}


def test_a_sku_named_twice_is_taken_once():
    merged, assortment = brought([line(2), line(3), line(4, spec="小")])
    assert merged.refused == [RefusedLine(3, "is the same SKU as line 2: product P1, spec 大")]
    assert (merged.products_created, merged.skus_created, len(assortment.skus)) == (1, 2, 2)


def test_a_line_that_contradicts_its_products_first_is_refused_whole():
    merged, assortment = brought([line(2), line(3, spec="小", title="鹅绒被")])
    assert merged.refused == [RefusedLine(3, "says other things about product P1 than line 2")]
    assert {sku.spec for sku in assortment.skus.values()} == {"大"}
    assert {product.title for product in assortment.products.values()} == {"羊毛被"}


def test_what_an_earlier_chunk_said_counts_as_well():
    first, assortment = brought([line(2)])
    second = merge([line(3), line(4, spec="小", title="鹅绒被"), line(5, spec="小")], first.firsts, {}, assortment)
    assert [refused.line for refused in second.refused] == [3, 4]
    assert second.skus_created == 1


def test_a_line_too_many_for_its_product_changes_nothing_of_it():
    _, full = brought([line(n, spec=str(n)) for n in range(SKUS_MAX)])
    merged, assortment = brought([line(2, spec="更多", title="改名")], full)
    assert [refused.line for refused in merged.refused] == [2]
    assert not assortment.changed_products
    assert Key("P1", "") not in merged.firsts


def test_the_same_lines_again_change_nothing():
    lines = [line(2), line(3, spec="小", on_sale=False), line(4, code="P2", title="毛巾", list_price_fen=None)]
    _, first = brought(lines)
    merged, second = brought(lines, first)
    assert (merged.skus_unchanged, merged.skus_changed, merged.skus_created, merged.products_changed) == (3, 0, 0, 0)
    assert not second.changed_products | second.changed_skus | second.new_skus | second.cleared
    assert second.first_stock == second.prices == []


def test_stock_is_taken_for_new_skus_only():
    _, first = brought([line(2, stock=5)])
    assert [quantity for _, quantity in first.first_stock] == [5]
    _, second = brought([line(2, stock=9)], first)
    assert second.first_stock == []


def test_a_new_price_is_a_new_revision():
    _, first = brought([line(2, price_fen=100)])
    merged, second = brought([line(2, price_fen=90)], first)
    assert merged.skus_changed == 1
    assert [(price.revision, price.price_fen) for _, price in first.prices + second.prices] == [(1, 100), (2, 90)]


def test_what_a_line_leaves_open_stays():
    _, first = brought([line(2, price_fen=100, list_price_fen=200, on_sale=False)])
    merged, second = brought([line(2, list_price_fen=None, on_sale=None)], first)
    assert merged.skus_unchanged == 1
    assert on_sale(second) == {"大": False}


def test_a_product_off_the_shelf_comes_back_for_the_skus_that_say_so_and_no_other():
    _, first = brought([line(2, spec="大"), line(3, spec="中"), line(4, spec="小")])
    [product_id] = first.products
    first.change_product(product_id, on_shelf=False)
    assert on_sale(first) == {"大": False, "中": False, "小": False}

    merged, second = brought([line(2, spec="大", on_sale=False), line(3, spec="中", on_sale=True)], first)

    assert on_sale(second) == {"大": False, "中": True, "小": False}
    assert second.cleared == {product_id}
    assert merged.skus_changed == 1


specs = st.sampled_from("大中小")


@given(
    st.lists(specs, unique=True, min_size=1),
    st.dictionaries(specs, st.booleans()),
    st.booleans(),
    st.dictionaries(specs, st.booleans(), min_size=1),
)
def test_an_import_sets_what_is_on_sale_for_its_own_lines_and_for_no_others(there, shelved, product_shelved, said):
    _, before = brought([line(2 + n, spec=spec) for n, spec in enumerate(there)])
    for sku in list(before.skus.values()):
        before.change_sku(sku.id, on_shelf=shelved.get(sku.spec, True))
    [product_id] = before.products
    before.change_product(product_id, on_shelf=product_shelved)
    expected = on_sale(before) | said

    _, after = brought([line(2 + n, spec=spec, on_sale=sold) for n, (spec, sold) in enumerate(said.items())], before)

    assert on_sale(after) == expected


def test_time_never_runs_backwards_in_a_row():
    _, first = brought([line(2)])
    late = {
        product_id: replace(product, updated_at=NOW + timedelta(1)) for product_id, product in first.products.items()
    }
    assortment = shop(late.values(), first.skus.values(), {})
    [product_id] = late
    assortment.change_product(product_id, title="改名")
    assert assortment.products[product_id].updated_at == NOW + timedelta(1)
