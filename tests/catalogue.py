"""A catalog on the real database, with shops to fill and files to fill them with: shared by the catalog's tests."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

from fairwind.catalog import Catalog, ImportReport, RefusedLine, Shop, ShopDraft
from fairwind.identity import NewPerson, create_people
from fairwind.inventory import wire as wire_inventory
from fairwind.kernel import Database, PersonId, Platform, Settings, ShiftedClock, ShopId, accepted, uuid7

REAL = Path(__file__).parent.parent.parent / "shared/data/catalogue.csv"
"""A real catalogue, where it is there."""
COLUMNS = (
    "product_code", "title", "brief", "category", "parent_category", "brand", "unit", "spec", "price_yuan",
    "list_price_yuan", "stock", "on_sale",
)  # fmt: skip


class World:
    """A catalog with its inventory, and shops in it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = ShiftedClock()
        self.platform = Platform(database, self.clock, Settings())
        self.catalog = self.platform.provided["catalog"] = Catalog(self.platform)
        wire_inventory(self.platform)

    def now(self) -> datetime:
        return self.clock.now()

    async def person(self) -> PersonId:
        draft = NewPerson(f"merchant-{uuid4().hex[:12]}", "Lin", "-", frozenset())
        async with self.database.transaction() as tx:
            return accepted((await create_people(tx, [draft], self.now()))[0]).id

    async def shop(self) -> Shop:
        return await self.catalog.open_shop(await self.person(), ShopDraft(uuid7(self.now()), "顺风家居"))

    async def bring(self, shop_id: ShopId, data: bytes | str, piece_bytes: int = 65536) -> ImportReport:
        return await self.catalog.import_file(shop_id, pieces(data, piece_bytes))

    async def exported(self, shop_id: ShopId, form: Any = "fairwind") -> str:
        return b"".join([piece async for piece in await self.catalog.export(shop_id, form)]).decode()

    async def rows(self, shop_id: ShopId) -> dict[str, list[Any]]:
        """Everything that the shop has in the catalog and the inventory."""
        tables = ("catalog.product", "catalog.wording", "catalog.sku", "catalog.price_change", "catalog.import_key")
        tables += ("inventory.stock", "inventory.adjustment")  # type: ignore[assignment]
        async with self.database.transaction() as tx:
            return {
                table: await tx.rows(f"SELECT * FROM {table} WHERE shop_id = %s ORDER BY 1, 2, 3", (shop_id,))
                for table in tables
            }


async def pieces(data: bytes | str, size: int = 65536) -> AsyncIterator[bytes]:
    data = data.encode() if isinstance(data, str) else data
    for start in range(0, len(data), size):
        yield data[start : start + size]


def catalogue(*rows: dict[str, object]) -> str:
    """A file in Fairwind's format; each line is fine but for what its row says."""
    text = StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows([goods(number) | row for number, row in enumerate(rows)])
    return text.getvalue()


def goods(number: int) -> dict[str, object]:
    return {
        "product_code": f"P{number:05}", "title": f"羊毛被 {number}", "brief": "暖", "category": "被枕",
        "parent_category": "居家", "brand": "MUJI", "unit": "件", "spec": "标准", "price_yuan": "459.00",
        "list_price_yuan": "479.00", "stock": "100", "on_sale": "1",
    }  # fmt: skip


def many(count: int, **said: object) -> str:
    """A file of count SKUs, three to a product."""
    return catalogue(
        *(
            {"product_code": f"P{n // 3:05}", "title": f"羊毛被 {n // 3}", "spec": f"{n % 3}"} | said
            for n in range(count)
        )
    )


def numbers(refused: Iterable[RefusedLine]) -> Sequence[int]:
    return [line.line for line in refused]
