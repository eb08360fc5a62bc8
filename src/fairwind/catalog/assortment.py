"""The products and SKUs that a batch works on: each item changes what the items before it left. Pure.

Commands and imports load what they name, change it here, and save what has changed once for the whole batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from fairwind.catalog.product import (
    SKUS_MAX,
    Price,
    PriceChange,
    Product,
    ProductWithSkus,
    Sku,
    SkuDraft,
    SpecTaken,
    TooManySkus,
)
from fairwind.kernel import CategoryId, Fen, ProductId, ShopId, SkuId


class Assortment:
    """A part of one shop's goods, loaded and locked.

    skus: those that the batch names; a product may have more, counted in sku_counts. ids: new ids to take from.
    """

    def __init__(
        self,
        shop_id: ShopId,
        now: datetime,
        products: Iterable[Product],
        skus: Iterable[Sku],
        sku_counts: Mapping[ProductId, int],
        ids: Iterator[int],
    ) -> None:
        self.shop_id = shop_id
        self.now = now
        self.products = {product.id: product for product in products}
        self.skus = {sku.id: sku for sku in skus}
        self.new_products: set[ProductId] = set()
        self.changed_products: set[ProductId] = set()
        self.new_skus: set[SkuId] = set()
        self.changed_skus: set[SkuId] = set()
        self.prices: list[tuple[SkuId, PriceChange]] = []
        self.cleared: set[ProductId] = set()
        """Products of which no SKU is on the shelf but those in skus that say so."""
        self.first_stock: list[tuple[SkuId, int]] = []
        self._by_code = {product.code: product.id for product in self.products.values()}
        self._by_spec = {(sku.product_id, sku.spec): sku.id for sku in self.skus.values()}
        self._sku_counts = dict(sku_counts)
        self._ids = ids

    def product(self, code: str) -> Product | None:
        product_id = self._by_code.get(code)
        return None if product_id is None else self.products[product_id]

    def sku(self, product_id: ProductId, spec: str) -> Sku | None:
        sku_id = self._by_spec.get((product_id, spec))
        return None if sku_id is None else self.skus[sku_id]

    def with_skus(self, product_id: ProductId) -> ProductWithSkus:
        """A product with those of its SKUs that are loaded."""
        product = self.products[product_id]
        skus = [sku for sku in self.skus.values() if sku.product_id == product_id]
        lowest = min((sku.price_fen for sku in skus if sku.on_shelf), default=None)
        fields = {name: getattr(product, name) for name in Product.__struct_fields__} | {"price_fen": lowest}
        return ProductWithSkus(**fields, skus=sorted(skus, key=lambda sku: (sku.position, sku.id)))

    def lowest_prices(self) -> dict[ProductId, Fen]:
        """The lowest price on the shelf of each product, as far as its SKUs are loaded."""
        lowest: dict[ProductId, Fen] = {}
        for sku in self.skus.values():
            if sku.on_shelf:
                lowest[sku.product_id] = min(sku.price_fen, lowest.get(sku.product_id, sku.price_fen))
        return lowest

    def add_product(
        self,
        code: str,
        title: str,
        brief: str,
        brand: str,
        unit: str,
        category_id: CategoryId | None,
        *,
        on_shelf: bool,
    ) -> Product:
        """A new product; its code is free."""
        assert code not in self._by_code
        product = Product(
            self.shop_id, ProductId(next(self._ids)), code, title, brief, brand, unit, category_id, on_shelf,
            None, 0, self.now, self.now,
        )  # fmt: skip
        self.products[product.id] = product
        self.new_products.add(product.id)
        self._by_code[code] = product.id
        self._sku_counts[product.id] = 0
        return product

    def change_product(self, product_id: ProductId, **changes: Any) -> bool:
        """Set fields of a product; answers whether that changed anything."""
        before = self.products[product_id]
        after = replace(before, **changes)
        if after == before:
            return False
        self.products[product_id] = replace(after, updated_at=max(before.updated_at, self.now))
        if product_id not in self.new_products:
            self.changed_products.add(product_id)
        return True

    def add_sku(self, product_id: ProductId, draft: SkuDraft) -> Sku:
        """A new SKU at the end of its product's; raises SpecTaken or TooManySkus."""
        if (product_id, draft.spec) in self._by_spec:
            raise SpecTaken(f"the product has a SKU with the spec {draft.spec} already", spec=draft.spec)
        position = self._sku_counts.get(product_id, 0) + 1
        if position > SKUS_MAX:
            raise TooManySkus(f"a product has at most {SKUS_MAX} SKUs; make it two products")
        sku = Sku(
            SkuId(next(self._ids)), product_id, position, draft.spec, draft.price_fen, marked(draft), 1,
            draft.on_shelf, False, self.now, self.now,
        )  # fmt: skip
        self.skus[sku.id] = sku
        self.new_skus.add(sku.id)
        self._note_price(sku)
        self.first_stock.append((sku.id, draft.stock))
        self._by_spec[product_id, sku.spec] = sku.id
        self._sku_counts[product_id] = position
        return sku

    def stocked(self) -> None:
        """The inventory has taken the first stock of the new SKUs, and marked in the database which can be had."""
        for sku_id, quantity in self.first_stock:
            self.skus[sku_id] = replace(self.skus[sku_id], in_stock=quantity > 0)

    def change_sku(self, sku_id: SkuId, **changes: Any) -> bool:
        """Set fields of a SKU; answers whether that changed anything. A new price is a new revision."""
        before = self.skus[sku_id]
        after = replace(before, **changes)
        if after == before:
            return False
        if (after.price_fen, after.list_price_fen) != (before.price_fen, before.list_price_fen):
            after = replace(after, price_revision=before.price_revision + 1)
            self._note_price(after)
        self.skus[sku_id] = replace(after, updated_at=max(before.updated_at, self.now))
        if sku_id not in self.new_skus:
            self.changed_skus.add(sku_id)
        return True

    def offer_only(self, sku_id: SkuId) -> None:
        """Put a product that is off the shelf on it for this SKU alone: its others stay out of sight."""
        product_id = self.skus[sku_id].product_id
        self.cleared.add(product_id)
        self.change_product(product_id, on_shelf=True)
        for other in [sku for sku in self.skus.values() if sku.product_id == product_id]:
            self.change_sku(other.id, on_shelf=other.id == sku_id)

    def _note_price(self, sku: Sku) -> None:
        change = PriceChange(sku.price_revision, sku.price_fen, sku.list_price_fen, self.now)
        self.prices.append((sku.id, change))


def marked(price: Price | SkuDraft) -> Fen:
    """The list price: what is said, or the price."""
    return price.price_fen if price.list_price_fen is None else price.list_price_fen
