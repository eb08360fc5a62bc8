"""Lines of a catalogue file: what a valid one says, and how it meets what the shop has. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from fairwind.catalog.assortment import Assortment
from fairwind.catalog.product import Product, Sku, SkuDraft
from fairwind.catalog.shop import NO_CATEGORY, CategoryPath
from fairwind.kernel import CategoryId, Fen, Refused


class Words(msgspec.Struct, frozen=True, array_like=True):
    """What a line says of its product; None for what it leaves open."""

    title: str
    brief: str | None
    brand: str | None
    unit: str | None
    category: CategoryPath | None

    def digest(self) -> bytes:
        return blake2b(msgspec.json.encode(self), digest_size=16).digest()


class Line(msgspec.Struct, frozen=True):
    """A valid line: one SKU of a product. number: its first line in the file. None for what it leaves open."""

    number: int
    code: str
    words: Words
    spec: str
    price_fen: Fen
    list_price_fen: Fen | None
    stock: int | None
    on_sale: bool | None


class Goods(NamedTuple):
    """One SKU on its way out. single: its product has no other. published: its product has something on sale."""

    code: str
    title: str
    brief: str
    brand: str
    unit: str
    category: CategoryPath
    spec: str
    position: int
    price_fen: Fen
    list_price_fen: Fen
    stock: int | None
    on_sale: bool
    single: bool
    published: bool


class RefusedLine(msgspec.Struct, frozen=True):
    """A line that was not imported, and why."""

    line: int
    reason: str


class Key(NamedTuple):
    """What a file may say once: a SKU, or with an empty spec a product's words."""

    code: str
    spec: str


class First(NamedTuple):
    """Where a file said it first; for a product with the digest of its words."""

    line: int
    digest: bytes | None


@dataclass
class Merged:
    """What became of some lines."""

    products_created: int = 0
    products_changed: int = 0
    skus_created: int = 0
    skus_changed: int = 0
    skus_unchanged: int = 0
    refused: list[RefusedLine] = field(default_factory=list)
    firsts: dict[Key, First] = field(default_factory=dict)
    """To be remembered for the rest of the file."""


def keys_of(lines: Sequence[Line]) -> list[Key]:
    """All that lines speak of."""
    return sorted({key for line in lines for key in (Key(line.code, ""), Key(line.code, line.spec))})


def merge(
    lines: Sequence[Line],
    seen: Mapping[Key, First],
    categories: Mapping[CategoryPath, CategoryId],
    assortment: Assortment,
) -> Merged:
    """Bring lines into the assortment, which holds every product and SKU that they name.

    seen: what earlier lines of the file said. The first line that names a product decides on its words; a later one
    that says otherwise is refused, as is a second line for one SKU. So the same file always ends the same way.
    """
    merged = Merged()
    for line in lines:
        reason = _contradiction(line, seen, merged.firsts)
        if reason is None:
            try:
                _bring(line, categories, assortment, merged)
            except Refused as refusal:
                reason = refusal.detail
        if reason is not None:
            merged.refused.append(RefusedLine(line.number, reason))
    return merged


def _contradiction(line: Line, seen: Mapping[Key, First], firsts: Mapping[Key, First]) -> str | None:
    product, sku = Key(line.code, ""), Key(line.code, line.spec)
    first = firsts.get(product) or seen.get(product)
    if first is not None and first.digest != line.words.digest():
        return f"says other things about product {line.code} than line {first.line}"
    again = firsts.get(sku) or seen.get(sku)
    if again is not None:
        return f"is the same SKU as line {again.line}: product {line.code}, spec {line.spec}"
    return None


def _bring(line: Line, categories: Mapping[CategoryPath, CategoryId], assortment: Assortment, merged: Merged) -> None:
    """Bring a line in, whole or, when it is refused, not at all."""
    words = _said(line.words, categories)
    product = assortment.product(line.code)
    if product is None:
        product = assortment.add_product(line.code, **(_UNSAID | words), on_shelf=True)
        merged.products_created += 1
    sku = assortment.sku(product.id, line.spec)
    if sku is None:
        _add(line, product, assortment)
        merged.skus_created += 1
    elif _change(line, sku, assortment):
        merged.skus_changed += 1
    else:
        merged.skus_unchanged += 1
    merged.products_changed += assortment.change_product(product.id, **words)
    merged.firsts.setdefault(Key(line.code, ""), First(line.number, line.words.digest()))
    merged.firsts[Key(line.code, line.spec)] = First(line.number, None)


_UNSAID: dict[str, Any] = {"brief": "", "brand": "", "unit": "", "category_id": None}


def _said(words: Words, categories: Mapping[CategoryPath, CategoryId]) -> dict[str, Any]:
    """The fields of a product that words speak of."""
    fields: dict[str, Any] = {"title": words.title, "brief": words.brief, "brand": words.brand, "unit": words.unit}
    said = {name: value for name, value in fields.items() if value is not None}
    if words.category is not None:
        said["category_id"] = None if words.category == NO_CATEGORY else categories[words.category]
    return said


def _add(line: Line, product: Product, assortment: Assortment) -> None:
    sku = assortment.add_sku(
        product.id,
        SkuDraft(
            spec=line.spec,
            price_fen=line.price_fen,
            list_price_fen=line.list_price_fen,
            on_shelf=line.on_sale is not False,
            stock=line.stock or 0,
        ),
    )
    if line.on_sale and not product.on_shelf:
        assortment.offer_only(sku.id)


def _change(line: Line, sku: Sku, assortment: Assortment) -> bool:
    """Whether it changed anything. Stock stays: since the first import it is the inventory's, which has sold of it."""
    terms = {"price_fen": line.price_fen}
    if line.list_price_fen is not None:
        terms["list_price_fen"] = line.list_price_fen
    changed = assortment.change_sku(sku.id, **terms)
    on_sale = sku.on_shelf and assortment.products[sku.product_id].on_shelf
    if line.on_sale is None or line.on_sale == on_sale:
        return changed
    if not line.on_sale:
        assortment.change_sku(sku.id, on_shelf=False)
    elif assortment.products[sku.product_id].on_shelf:
        assortment.change_sku(sku.id, on_shelf=True)
    else:
        assortment.offer_only(sku.id)
    return True
