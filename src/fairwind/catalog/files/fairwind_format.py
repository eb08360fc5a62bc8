"""Fairwind's catalogue format: one line per SKU, and what belongs to the product is said again on each. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fairwind.catalog.files.columns import Columns, Fault, category_path, guarded, number_text, yuan
from fairwind.catalog.files.lines import Goods, Line, RefusedLine, Words
from fairwind.catalog.files.records import Record
from fairwind.catalog.shop import CategoryPath
from fairwind.catalog.texts import Brand, Brief, CategoryName, Code, Spec, Title, Unit

HEADER = (
    "product_code", "title", "brief", "category", "parent_category", "brand", "unit", "spec",
    "price_yuan", "list_price_yuan", "stock", "on_sale",
)  # fmt: skip


class FairwindReader:
    """Reads the lines of a file in this format."""

    def __init__(self, header: Sequence[str]) -> None:
        fields = {name: [name] for name in HEADER}
        self._columns = Columns(header, fields, ["product_code", "title", "spec", "price_yuan"])
        self.ignored_columns = self._columns.ignored

    def line(self, record: Record) -> Line | RefusedLine | None:
        columns = self._columns
        try:
            cells = columns.cells(record)
            price_fen = columns.price(cells, "price_yuan")
            return Line(
                number=record.line,
                code=columns.text(cells, "product_code", Code),
                words=Words(
                    columns.text(cells, "title", Title),
                    columns.text_if_there(cells, "brief", Brief),
                    columns.text_if_there(cells, "brand", Brand),
                    columns.text_if_there(cells, "unit", Unit),
                    self._category(cells),
                ),
                spec=columns.text(cells, "spec", Spec),
                price_fen=price_fen,
                list_price_fen=columns.list_price(cells, "list_price_yuan", price_fen),
                stock=columns.stock(cells, "stock"),
                on_sale=columns.flag(cells, "on_sale"),
            )
        except Fault as what:
            return RefusedLine(record.line, str(what))

    def _category(self, cells: Mapping[str, str]) -> CategoryPath | None:
        if "category" not in cells:
            return None
        names = [
            self._columns.text(cells, field, CategoryName)
            for field in ("parent_category", "category")
            if cells.get(field)
        ]
        return category_path(names)


def row(goods: Goods) -> list[str]:
    return [
        *(guarded(text) for text in (goods.code, goods.title, goods.brief, goods.category.name)),
        *(guarded(text) for text in (goods.category.parent, goods.brand, goods.unit, goods.spec)),
        yuan(goods.price_fen),
        yuan(goods.list_price_fen),
        number_text(goods.stock),
        "1" if goods.on_sale else "0",
    ]
