"""Adding and changing products and SKUs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from msgspec import UNSET
from msgspec.structs import asdict, replace

from fairwind.catalog.assortment import Assortment, marked
from fairwind.catalog.commands.shops import shop
from fairwind.catalog.product import (
    CodeTaken,
    Price,
    ProductChange,
    ProductDraft,
    ProductWithSkus,
    Sku,
    SkuDraft,
    SpecTaken,
)
from fairwind.catalog.stockroom import Stockroom
from fairwind.catalog.store import products as store
from fairwind.catalog.store.saving import save
from fairwind.catalog.store.shops import known_categories
from fairwind.catalog.texts import tidy
from fairwind.kernel import NotFound, ProductId, Refused, ShopId, SkuId, Transaction, next_ids


class NewSku(NamedTuple):
    """A SKU for a product that is there."""

    product_id: ProductId
    draft: SkuDraft


class Rewording(NamedTuple):
    """New words for a product."""

    product_id: ProductId
    change: ProductChange


class Repricing(NamedTuple):
    """A new price for a SKU."""

    sku_id: SkuId
    price: Price


class ProductShelving(NamedTuple):
    """A product to put on the shelf or take off it."""

    product_id: ProductId
    on_shelf: bool


class SkuShelving(NamedTuple):
    """A SKU to put on the shelf or take off it."""

    sku_id: SkuId
    on_shelf: bool


async def add_products(
    tx: Transaction, shop_id: ShopId, drafts: Sequence[ProductDraft], now: datetime, stockroom: Stockroom
) -> list[ProductWithSkus | Refused]:
    """Add products with their SKUs and first stock. A draft that is there already as it is answers what is there.

    Raises NotFound when there is no such shop.
    """
    await shop(tx, shop_id)
    drafts = [_tidy(draft) for draft in drafts]
    there = await tx.ask(store.products_by_code(shop_id, {draft.code for draft in drafts}))
    skus = await tx.ask(store.skus_of(shop_id, [product.id for product in there], lock=True))
    known = await known_categories(tx, {draft.category_id for draft in drafts if draft.category_id is not None})
    ids = iter(await next_ids(tx, sum(1 + len(draft.skus) for draft in drafts)))
    assortment = Assortment(shop_id, now, there, skus, {}, ids)
    outcomes = [_add(assortment, draft, known) for draft in drafts]
    await save(tx, assortment)
    await stock(tx, assortment, stockroom)
    return [outcome if isinstance(outcome, Refused) else assortment.with_skus(outcome) for outcome in outcomes]


def _add(assortment: Assortment, draft: ProductDraft, known: Collection[int]) -> ProductId | Refused:
    if draft.category_id is not None and draft.category_id not in known:
        return NotFound(f"there is no category {draft.category_id}")
    specs = [sku.spec for sku in draft.skus]
    if len(set(specs)) < len(specs):
        return SpecTaken("two SKUs of the product have one spec; each needs its own")
    product = assortment.product(draft.code)
    if product is None:
        product = assortment.add_product(
            draft.code, draft.title, draft.brief, draft.brand, draft.unit, draft.category_id, on_shelf=draft.on_shelf
        )
        for sku in draft.skus:
            assortment.add_sku(product.id, sku)
    elif not _same(assortment.with_skus(product.id), draft):
        return CodeTaken(
            f"the shop has another product with the code {draft.code}; change that one or choose another code",
            product_id=product.id,
        )
    return product.id


def _same(there: ProductWithSkus, draft: ProductDraft) -> bool:
    """Whether a product is what the draft would make of it, shelf and stock aside, which have moved on since."""
    words = ("code", "title", "brief", "brand", "unit", "category_id")
    return all(getattr(there, name) == getattr(draft, name) for name in words) and [
        (sku.spec, sku.price_fen, sku.list_price_fen) for sku in there.skus
    ] == [(sku.spec, sku.price_fen, marked(sku)) for sku in draft.skus]


def _tidy(draft: ProductDraft) -> ProductDraft:
    words = {name: tidy(getattr(draft, name)) for name in ("code", "title", "brief", "brand", "unit")}
    return replace(draft, **words, skus=[replace(sku, spec=tidy(sku.spec)) for sku in draft.skus])


async def add_skus(
    tx: Transaction, shop_id: ShopId, items: Sequence[NewSku], now: datetime, stockroom: Stockroom
) -> list[Sku | Refused]:
    """Add SKUs to products. One that is there already as it is answers what is there."""
    assortment = await _load(tx, shop_id, {item.product_id for item in items}, now, new=len(items))
    outcomes = [_add_sku(assortment, item) for item in items]
    await save(tx, assortment)
    await stock(tx, assortment, stockroom)
    return [outcome if isinstance(outcome, Refused) else assortment.skus[outcome] for outcome in outcomes]


def _add_sku(assortment: Assortment, item: NewSku) -> SkuId | Refused:
    if item.product_id not in assortment.products:
        return _no_product(item.product_id)
    draft = replace(item.draft, spec=tidy(item.draft.spec))
    there = assortment.sku(item.product_id, draft.spec)
    if there is not None and (there.price_fen, there.list_price_fen) == (draft.price_fen, marked(draft)):
        return there.id
    try:
        return assortment.add_sku(item.product_id, draft).id
    except Refused as refusal:
        return refusal


async def reword(
    tx: Transaction, shop_id: ShopId, items: Sequence[Rewording], now: datetime
) -> list[ProductWithSkus | Refused]:
    """Change what products are called."""
    assortment = await _load(tx, shop_id, {item.product_id for item in items}, now)
    wanted = {item.change.category_id for item in items if isinstance(item.change.category_id, int)}
    known = await known_categories(tx, wanted)
    outcomes: list[ProductWithSkus | Refused] = []
    for product_id, change in items:
        words: dict[str, Any] = {name: value for name, value in asdict(change).items() if value is not UNSET}
        if product_id not in assortment.products:
            outcomes.append(_no_product(product_id))
        elif words.get("category_id") is not None and words["category_id"] not in known:
            outcomes.append(NotFound(f"there is no category {words['category_id']}"))
        else:
            words = {name: tidy(value) if isinstance(value, str) else value for name, value in words.items()}
            assortment.change_product(product_id, **words)
            outcomes.append(assortment.with_skus(product_id))
    await save(tx, assortment)
    return outcomes


async def reprice(tx: Transaction, shop_id: ShopId, items: Sequence[Repricing], now: datetime) -> list[Sku | Refused]:
    """Set prices; each that differs is kept as a new revision."""
    assortment = await _load_skus(tx, shop_id, {item.sku_id for item in items}, now)
    outcomes: list[Sku | Refused] = []
    for sku_id, price in items:
        if sku_id in assortment.skus:
            assortment.change_sku(sku_id, price_fen=price.price_fen, list_price_fen=marked(price))
        outcomes.append(assortment.skus.get(sku_id) or _no_sku(sku_id))
    await save(tx, assortment)
    return outcomes


async def shelve_products(
    tx: Transaction, shop_id: ShopId, items: Sequence[ProductShelving], now: datetime
) -> list[ProductWithSkus | Refused]:
    """Put products on the shelf or take them off; where one is already, nothing changes."""
    assortment = await _load(tx, shop_id, {item.product_id for item in items}, now)
    outcomes: list[ProductWithSkus | Refused] = []
    for product_id, on_shelf in items:
        if product_id not in assortment.products:
            outcomes.append(_no_product(product_id))
        else:
            assortment.change_product(product_id, on_shelf=on_shelf)
            outcomes.append(assortment.with_skus(product_id))
    await save(tx, assortment)
    return outcomes


async def shelve_skus(
    tx: Transaction, shop_id: ShopId, items: Sequence[SkuShelving], now: datetime
) -> list[Sku | Refused]:
    """Put SKUs on the shelf or take them off; where one is already, nothing changes."""
    assortment = await _load_skus(tx, shop_id, {item.sku_id for item in items}, now)
    outcomes: list[Sku | Refused] = []
    for sku_id, on_shelf in items:
        if sku_id in assortment.skus:
            assortment.change_sku(sku_id, on_shelf=on_shelf)
        outcomes.append(assortment.skus.get(sku_id) or _no_sku(sku_id))
    await save(tx, assortment)
    return outcomes


async def stock(tx: Transaction, assortment: Assortment, stockroom: Stockroom) -> None:
    """Open the stock of the assortment's new SKUs."""
    if stockroom.add is not None and assortment.first_stock:
        await stockroom.add(tx, assortment.shop_id, assortment.first_stock, assortment.now)
        assortment.stocked()


async def _load(
    tx: Transaction, shop_id: ShopId, product_ids: Collection[ProductId], now: datetime, *, new: int = 0
) -> Assortment:
    """Products with all their SKUs, locked, and ids for new ones."""
    products = await tx.ask(store.products(shop_id, product_ids, lock=True))
    skus = await tx.ask(store.skus_of(shop_id, product_ids, lock=True))
    counts = {product.id: 0 for product in products}
    for sku in skus:
        counts[sku.product_id] += 1
    return Assortment(shop_id, now, products, skus, counts, iter(await next_ids(tx, new)))


async def _load_skus(tx: Transaction, shop_id: ShopId, sku_ids: Collection[SkuId], now: datetime) -> Assortment:
    """The products of these SKUs with all their SKUs, locked."""
    products = await store.products_of_skus(tx, shop_id, sku_ids)
    return await _load(tx, shop_id, set(products.values()), now)


def _no_product(product_id: ProductId) -> NotFound:
    return NotFound(f"the shop has no product {product_id}")


def _no_sku(sku_id: SkuId) -> NotFound:
    return NotFound(f"the shop has no SKU {sku_id}")
