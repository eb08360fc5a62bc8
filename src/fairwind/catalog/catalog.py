"""The catalog as the rest of the platform meets it: commands in transactions of their own, and reads."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from datetime import date, datetime
from typing import Any

from msgspec.structs import asdict

from fairwind.catalog.commands import files, shops
from fairwind.catalog.commands.products import (
    NewSku,
    ProductShelving,
    Repricing,
    Rewording,
    SkuShelving,
    add_products,
    add_skus,
    reprice,
    reword,
    shelve_products,
    shelve_skus,
)
from fairwind.catalog.files.formats import FormatName
from fairwind.catalog.files.lines import RefusedLine
from fairwind.catalog.files.report import ImportReport, Progress
from fairwind.catalog.grams import words
from fairwind.catalog.product import (
    Price,
    PriceChange,
    Product,
    ProductChange,
    ProductDraft,
    ProductWithSkus,
    Sku,
    SkuDraft,
)
from fairwind.catalog.search import Found, Search
from fairwind.catalog.shop import Category, CategoryDraft, Shop, ShopDraft, ShopState
from fairwind.catalog.stockroom import Stockroom
from fairwind.catalog.store import products as product_store
from fairwind.catalog.store import search as search_store
from fairwind.catalog.store import shops as shop_store
from fairwind.identity import Member, grant_membership, members, revoke_membership
from fairwind.kernel import CategoryId, NotFound, PersonId, Platform, ProductId, Refused, ShopId, SkuId, Transaction


class Catalog:
    """All shops and what they offer.

    stockroom: who keeps stock; the inventory puts itself there.
    """

    def __init__(self, platform: Platform) -> None:
        self._database = platform.database
        self._clock = platform.clock
        self.stockroom = Stockroom()
        self._add_products = platform.gate("add_products", self._run_add_products)
        self._add_skus = platform.gate("add_skus", self._run_add_skus)
        self._reword = platform.gate("reword", reword)
        self._reprice = platform.gate("reprice", reprice)
        self._shelve_products = platform.gate("shelve_products", shelve_products)
        self._shelve_skus = platform.gate("shelve_skus", shelve_skus)

    async def _run_add_products(
        self, tx: Transaction, shop_id: ShopId, drafts: Sequence[ProductDraft], now: datetime
    ) -> Sequence[ProductWithSkus | Refused]:
        return await add_products(tx, shop_id, drafts, now, self.stockroom)

    async def _run_add_skus(
        self, tx: Transaction, shop_id: ShopId, items: Sequence[NewSku], now: datetime
    ) -> Sequence[Sku | Refused]:
        return await add_skus(tx, shop_id, items, now, self.stockroom)

    # Shops

    async def open_shop(self, person_id: PersonId, draft: ShopDraft, opened_on: date | None = None) -> Shop:
        now = self._clock.now()
        return await self._database.run(lambda tx: shops.open_shop(tx, person_id, draft, now, opened_on))

    async def shop(self, shop_id: ShopId) -> Shop:
        async with self._database.transaction() as tx:
            return await shops.shop(tx, shop_id)

    async def open_shops(self, after: ShopId, limit: int) -> list[Shop]:
        async with self._database.transaction() as tx:
            return await shop_store.open_shops(tx, after, limit)

    async def change_shop(self, shop_id: ShopId, *, name: str | None = None, state: ShopState | None = None) -> Shop:
        return await self._database.run(lambda tx: shops.change_shop(tx, shop_id, name=name, state=state))

    async def members(self, shop_id: ShopId, after: PersonId, limit: int) -> list[Member]:
        async with self._database.transaction() as tx:
            return await members(tx, shop_id, after, limit)

    async def add_member(self, shop_id: ShopId, person_id: PersonId) -> None:
        async def work(tx: Transaction) -> None:
            await shops.shop(tx, shop_id)
            await grant_membership(tx, shop_id, person_id, self._clock.now())

        await self._database.run(work)

    async def remove_member(self, shop_id: ShopId, person_id: PersonId) -> None:
        await self._database.run(lambda tx: revoke_membership(tx, shop_id, person_id))

    # Categories

    async def categories(self, after: CategoryId, limit: int) -> list[Category]:
        async with self._database.transaction() as tx:
            return await shop_store.categories(tx, after, limit)

    async def add_category(self, draft: CategoryDraft) -> Category:
        return await self._database.run(lambda tx: shops.add_category(tx, draft))

    # Products and SKUs

    async def search(self, search: Search, after: Any, limit: int) -> list[Found]:
        async with self._database.transaction() as tx:
            return await search_store.found(tx, search, after, limit)

    async def products(self, shop_id: ShopId, query: str, after: str, limit: int) -> list[Product]:
        """The shop's products, on the shelf or not, by code."""
        async with self._database.transaction() as tx:
            return await search_store.products_by_code_after(tx, shop_id, words(query), after, limit)

    async def product(self, shop_id: ShopId, product_id: ProductId, *, whole: bool) -> ProductWithSkus:
        """The product with its SKUs; unless whole, only as far as it is on the shelf. Raises NotFound."""
        async with self._database.transaction() as tx:
            found, skus = await tx.together(
                product_store.products(shop_id, [product_id]), product_store.skus_of(shop_id, [product_id])
            )
            shop = await shop_store.shop(tx, shop_id)
        shown = [sku for sku in skus if whole or sku.on_shelf]
        hidden = not whole and (not shown or not found[0].on_shelf or shop is None or shop.state is ShopState.CLOSED)
        if not found or hidden:
            raise NotFound(f"the shop has no product {product_id} on its shelf")
        return ProductWithSkus(**asdict(found[0]), skus=shown)

    async def add_product(self, shop_id: ShopId, draft: ProductDraft) -> ProductWithSkus:
        return await self._add_products(shop_id, draft)

    async def reword(self, shop_id: ShopId, product_id: ProductId, change: ProductChange) -> ProductWithSkus:
        return await self._reword(shop_id, Rewording(product_id, change))

    async def shelve_product(self, shop_id: ShopId, product_id: ProductId, *, on_shelf: bool) -> ProductWithSkus:
        return await self._shelve_products(shop_id, ProductShelving(product_id, on_shelf))

    async def add_sku(self, shop_id: ShopId, product_id: ProductId, draft: SkuDraft) -> Sku:
        return await self._add_skus(shop_id, NewSku(product_id, draft))

    async def reprice(self, shop_id: ShopId, sku_id: SkuId, price: Price) -> Sku:
        return await self._reprice(shop_id, Repricing(sku_id, price))

    async def shelve_sku(self, shop_id: ShopId, sku_id: SkuId, *, on_shelf: bool) -> Sku:
        return await self._shelve_skus(shop_id, SkuShelving(sku_id, on_shelf))

    async def prices(self, shop_id: ShopId, sku_id: SkuId, before: int | None, limit: int) -> list[PriceChange]:
        async with self._database.transaction() as tx:
            return await product_store.prices_page(tx, shop_id, sku_id, before, limit)

    # Files

    async def import_file(
        self,
        shop_id: ShopId,
        pieces: AsyncIterable[bytes],
        *,
        progress: Callable[[Progress], None] = lambda _: None,
        refused: Callable[[RefusedLine], None] = lambda _: None,
    ) -> ImportReport:
        """Import a catalogue file that comes in pieces. Raises NotFound, UnknownFormat, Unreadable.

        progress: told after each chunk. refused: told of each refused line, in their order.
        """
        await self.shop(shop_id)
        importer = files.Importer(self._database, self._clock, shop_id, self.stockroom, progress, refused)
        return await importer.run(pieces)

    async def export(self, shop_id: ShopId, form: FormatName = "fairwind") -> AsyncIterator[bytes]:
        """The shop's products as a catalogue file, in pieces. Raises NotFound."""
        await self.shop(shop_id)
        return files.export(self._database, shop_id, form, self.stockroom)
