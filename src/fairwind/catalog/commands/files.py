"""Importing and exporting catalogue files, a chunk at a time.

Each chunk of an import is one transaction: an import that is interrupted keeps what it has brought in, and run again it
finds that unchanged and brings in the rest.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from msgspec.structs import replace

from fairwind.catalog.assortment import Assortment
from fairwind.catalog.commands.products import stock
from fairwind.catalog.commands.shops import categories_for
from fairwind.catalog.files.formats import FORMATS, FormatName, csv_text
from fairwind.catalog.files.lines import Line, Merged, RefusedLine, keys_of, merge
from fairwind.catalog.files.reader import FileReader
from fairwind.catalog.files.records import BLOCK_BYTES
from fairwind.catalog.files.report import ImportReport, Progress
from fairwind.catalog.stockroom import Stockroom
from fairwind.catalog.store import files as store
from fairwind.catalog.store.products import products_by_code, sku_counts, skus_by_spec
from fairwind.catalog.store.saving import save
from fairwind.kernel import Clock, Database, Refused, ShopId, Transaction, next_ids, uuid7

CHUNK_LINES = 1000
_PAGE_SKUS = 1000
_FORGOTTEN_AFTER = timedelta(days=1)


async def bring_in(
    tx: Transaction, shop_id: ShopId, import_id: UUID, lines: Sequence[Line], now: datetime, stockroom: Stockroom
) -> Merged:
    """Bring lines of a file into the shop; every one is created, changed, unchanged or refused."""
    keys = keys_of(lines)
    seen, products = await tx.together(
        store.seen(shop_id, import_id, keys), products_by_code(shop_id, {key.code for key in keys})
    )
    by_code = {product.code: product.id for product in products}
    specs = [(by_code[key.code], key.spec) for key in keys if key.spec and key.code in by_code]
    skus, counts = await tx.together(skus_by_spec(shop_id, specs), sku_counts(shop_id, by_code.values()))
    categories = await categories_for(tx, {line.words.category for line in lines if line.words.category is not None})
    ids = await next_ids(tx, len(keys) - len(products) - len(skus))
    assortment = Assortment(shop_id, now, products, skus, counts, iter(ids))
    merged = merge(lines, seen, categories, assortment)
    await save(tx, assortment)
    await stock(tx, assortment, stockroom)
    await store.remember(tx, shop_id, import_id, merged.firsts, now)
    return merged


class Importer:
    """Imports files into one shop. Memory does not grow with the file.

    progress: told after each chunk. refused: told of each refused line, in their order.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        shop_id: ShopId,
        stockroom: Stockroom,
        progress: Callable[[Progress], None],
        refused: Callable[[RefusedLine], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._shop_id = shop_id
        self._stockroom = stockroom
        self._progress = progress
        self._refused = refused

    async def run(self, pieces: AsyncIterable[bytes]) -> ImportReport:
        """Import the file that comes in pieces; raises UnknownFormat or Unreadable when it is no catalogue."""
        import_id = uuid7(self._clock.now())
        try:
            return await self._run(import_id, pieces)
        finally:
            with suppress(Refused):  # what is left behind is dropped by a later import
                before = self._clock.now() - _FORGOTTEN_AFTER
                await self._database.run(lambda tx: store.forget(tx, self._shop_id, import_id, before))

    async def _run(self, import_id: UUID, pieces: AsyncIterable[bytes]) -> ImportReport:
        file = FileReader()
        report = ImportReport()
        read_bytes = 0
        read: list[Line | RefusedLine] = []
        async for block in _blocks(pieces):
            read_bytes += len(block)
            read += file.feed(block)
            while len(read) >= CHUNK_LINES:
                report = await self._bring_in(import_id, read[:CHUNK_LINES], report)
                del read[:CHUNK_LINES]
                self._progress(Progress(read_bytes, report.lines, report.refused))
        read += file.end()
        for start in range(0, len(read), CHUNK_LINES):
            report = await self._bring_in(import_id, read[start : start + CHUNK_LINES], report)
        self._progress(Progress(read_bytes, report.lines, report.refused))
        return replace(report, format=file.format, encoding=file.encoding, ignored_columns=file.ignored_columns)

    async def _bring_in(
        self, import_id: UUID, read: Sequence[Line | RefusedLine], report: ImportReport
    ) -> ImportReport:
        lines = [line for line in read if isinstance(line, Line)]
        merged = await self._database.run(
            lambda tx: bring_in(tx, self._shop_id, import_id, lines, self._clock.now(), self._stockroom)
        )
        refused = sorted(
            [*(line for line in read if isinstance(line, RefusedLine)), *merged.refused], key=lambda line: line.line
        )
        for line in refused:
            self._refused(line)
        return report.plus(merged, refused)


async def _blocks(pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """pieces, cut so that each fills a chunk at most."""
    async for piece in pieces:
        for start in range(0, len(piece), BLOCK_BYTES):
            yield piece[start : start + BLOCK_BYTES]


async def export(database: Database, shop_id: ShopId, name: FormatName, stockroom: Stockroom) -> AsyncIterator[bytes]:
    """The shop's products as a file, in pieces, by product code.

    Each page is a transaction of its own: someone who reads slowly holds no connection and no snapshot. What changes
    meanwhile is in the file as it was when its page was read.
    """
    form = FORMATS[name]
    yield csv_text([form.header]).encode()
    place = store.BEGINNING
    while True:
        async with database.transaction() as tx:
            page = await store.goods_after(tx, shop_id, place, _PAGE_SKUS)
            sku_ids = [place.sku_id for place, _ in page]
            available = await stockroom.available(tx, shop_id, sku_ids) if stockroom.available else {}
        if page:
            rows = [form.row(goods._replace(stock=available.get(place.sku_id))) for place, goods in page]
            yield csv_text(rows).encode()
        if len(page) < _PAGE_SKUS:
            return
        place = page[-1][0]
