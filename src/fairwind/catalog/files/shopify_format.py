"""Shopify's product CSV: one line per variant, the first of a product says what belongs to it. Pure.

Read from old exports (Handle, Variant Price) and new ones (URL handle, Price); written with the columns of the old,
which Shopify takes as well, and two of our own for what it has no place for. The options of a variant become its spec.
Lines that only add an image are passed over: Fairwind keeps none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape, unescape

from fairwind.catalog.files.columns import Columns, Fault, category_path, guarded, number_text, yuan
from fairwind.catalog.files.lines import Goods, Line, RefusedLine, Words
from fairwind.catalog.files.records import Record
from fairwind.catalog.shop import CategoryPath
from fairwind.catalog.texts import (
    BRIEF_MAX,
    PLAIN_SPEC,
    Brand,
    Brief,
    CategoryName,
    Code,
    Spec,
    Title,
    Unit,
    fault,
    tidy,
)

_UNIT_COLUMN = "Unit (product.metafields.fairwind.unit)"
_ON_SALE_COLUMN = "On Sale (variant.metafields.fairwind.on_sale)"

HEADER = (
    "Handle", "Title", "Body (HTML)", "Vendor", "Product Category", "Type", "Tags", "Published",
    "Option1 Name", "Option1 Value", "Variant SKU", "Variant Inventory Tracker", "Variant Inventory Qty",
    "Variant Inventory Policy", "Variant Fulfillment Service", "Variant Price", "Variant Compare At Price",
    "Variant Requires Shipping", "Variant Taxable", "Status", _UNIT_COLUMN, _ON_SALE_COLUMN,
)  # fmt: skip

_FIELDS: Mapping[str, Sequence[str]] = {
    "code": ["Handle", "URL handle"],
    "title": ["Title"],
    "brief": ["Body (HTML)", "Description"],
    "brand": ["Vendor"],
    "category": ["Product Category"],
    "type": ["Type"],
    "published": ["Published", "Published on online store"],
    "status": ["Status"],
    "option1_name": ["Option1 Name"],
    "option1": ["Option1 Value"],
    "option2": ["Option2 Value"],
    "option3": ["Option3 Value"],
    "price": ["Variant Price", "Price"],
    "list_price": ["Variant Compare At Price", "Compare-at price"],
    "stock": ["Variant Inventory Qty", "Inventory quantity"],
    "unit": [_UNIT_COLUMN],
    "on_sale": [_ON_SALE_COLUMN],
}
_OF_PRODUCT = ("title", "brief", "brand", "category", "type", "published", "status", "option1_name", "unit")
_TITLE, _DEFAULT = "Title", "Default Title"
"""What Shopify calls the option of a product that has none, and its value."""
_STATUSES = {"active": True, "draft": False, "archived": False, "unlisted": False}


class ShopifyReader:
    """Reads the lines of a file in this format; a line without a title follows those of its product."""

    def __init__(self, header: Sequence[str]) -> None:
        self._columns = Columns(header, _FIELDS, ["code", "title", "price"])
        self.ignored_columns = self._columns.ignored
        self._code = ""
        self._said: dict[str, str] = {}
        """What the lines of the present product have said of it."""
        self._first = 0
        self._words: Words | None = None

    def line(self, record: Record) -> Line | RefusedLine | None:
        try:
            cells = self._columns.cells(record)
            if not (cells["title"] or cells["price"] or cells.get("option1")):
                return None
            return self._variant(record.line, cells, self._product(record.line, cells))
        except Fault as what:
            return RefusedLine(record.line, str(what))

    def _product(self, number: int, cells: Mapping[str, str]) -> Words:
        """The words of the product that a line belongs to."""
        columns = self._columns
        code = columns.text(cells, "code", Code)
        if code != self._code:
            self._code, self._first, self._words = code, number, None
            self._said = {field: cells[field] for field in _OF_PRODUCT if field in cells}
            if not cells["title"]:
                raise Fault(f"{columns.name('title')} is empty, and the line before is of another product")
            self._words = self._read_words()
        if self._words is None:
            raise Fault(f"belongs to the product of line {self._first}, which was refused")
        for field, said in self._said.items():
            if cells[field] not in ("", said):
                raise Fault(f"{columns.name(field)} is not what line {self._first} says")
        return self._words

    def _read_words(self) -> Words:
        columns, said = self._columns, dict(self._said)
        columns.flag(said, "published")
        self._status()
        if "brief" in said:
            said["brief"] = plain_text(said["brief"])
        return Words(
            columns.text(said, "title", Title),
            columns.text_if_there(said, "brief", Brief),
            columns.text_if_there(said, "brand", Brand),
            columns.text_if_there(said, "unit", Unit),
            self._category(),
        )

    def _category(self) -> CategoryPath | None:
        """The first and the last step of Shopify's category, or else the type."""
        if "category" not in self._said and "type" not in self._said:
            return None
        field = "category" if self._said.get("category") else "type"
        steps = [tidy(step) for step in self._said.get(field, "").split(">")]
        steps = [step for step in steps if step]
        for step in steps:
            if (what := fault(step, CategoryName)) is not None:
                raise Fault(f"{self._columns.name(field)} {what}")
        return category_path(steps)

    def _status(self) -> bool | None:
        status = self._said.get("status", "").casefold()
        if status and status not in _STATUSES:
            raise Fault(f"{self._columns.name('status')} is none of {', '.join(_STATUSES)}")
        return _STATUSES.get(status)

    def _variant(self, number: int, cells: Mapping[str, str], words: Words) -> Line:
        columns = self._columns
        price_fen = columns.price(cells, "price")
        flags = (columns.flag(self._said, "published"), self._status(), columns.flag(cells, "on_sale"))
        return Line(
            number=number,
            code=self._code,
            words=words,
            spec=self._spec(cells),
            price_fen=price_fen,
            list_price_fen=columns.list_price(cells, "list_price", price_fen),
            stock=columns.stock(cells, "stock"),
            on_sale=None if flags == (None, None, None) else False not in flags,
        )

    def _spec(self, cells: Mapping[str, str]) -> str:
        options = [cells[field] for field in ("option1", "option2", "option3") if cells.get(field)]
        if not options or (options == [_DEFAULT] and self._said.get("option1_name", _TITLE) == _TITLE):
            return PLAIN_SPEC
        spec = " / ".join(options)
        if (what := fault(spec, Spec)) is not None:
            raise Fault(f"{self._columns.name('option1')} {what}")
        return spec


def row(goods: Goods) -> list[str]:
    """One variant; the first of a product says what belongs to the product."""
    first = goods.position == 1
    plain = goods.single and goods.spec == PLAIN_SPEC
    of_product = [
        guarded(goods.title),
        guarded(escape(goods.brief, quote=False)),
        guarded(goods.brand),
        guarded(" > ".join(name for name in goods.category if name)),
        guarded(goods.category.name),
        "",
        "TRUE" if goods.published else "FALSE",
        _TITLE if plain else "规格",
    ]
    return [
        guarded(goods.code),
        *(of_product if first else [""] * len(of_product)),
        _DEFAULT if plain else guarded(goods.spec),
        "",
        "shopify",
        number_text(goods.stock),
        "deny",
        "manual",
        yuan(goods.price_fen),
        "" if goods.list_price_fen == goods.price_fen else yuan(goods.list_price_fen),
        "TRUE",
        "TRUE",
        ("active" if goods.published else "draft") if first else "",
        guarded(goods.unit) if first else "",
        "TRUE" if goods.on_sale else "FALSE",
    ]


_TAG = re.compile(r"<([^<>]*)>")
_TAG_NAME = re.compile(r"/?([a-z0-9]+)", re.IGNORECASE)
_NEW_LINE = {"br", "p", "div", "li", "ul", "ol", "tr", "table", "h1", "h2", "h3", "h4", "h5", "h6"}
_NOT_SHOWN = {"script", "style"}


def plain_text(html: str) -> str:
    """What a product's body says, without its markup, cut to the length of a brief."""
    if "<" not in html:
        return tidy(unescape(html))[:BRIEF_MAX].rstrip()
    pieces: list[str] = []
    hidden = False
    for place, piece in enumerate(_TAG.split(html)):
        if place % 2 == 0:
            pieces.append("" if hidden else unescape(re.sub(r"\s+", " ", piece)))
            continue
        name = match[1].lower() if (match := _TAG_NAME.match(piece)) else ""
        if name in _NOT_SHOWN:
            hidden = not piece.startswith("/")
        if name in _NEW_LINE:
            pieces.append("\n")
    lines = [" ".join(line.split()) for line in "".join(pieces).split("\n")]
    return "\n".join(line for line in lines if line)[:BRIEF_MAX].rstrip()
