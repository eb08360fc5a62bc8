"""Columns and cells of a catalogue file: found by name, read into what they mean, and written back. Pure.

A cell that a spreadsheet would run as a formula is written with an apostrophe before it, and such an apostrophe is
taken off on the way in, so that a file goes out and comes back the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fairwind.catalog.files.records import Record
from fairwind.catalog.product import PRICE_MAX_FEN, STOCK_MAX
from fairwind.catalog.shop import NO_CATEGORY, CategoryPath
from fairwind.catalog.texts import fault, tidy
from fairwind.kernel import Fen, Refused, parse_yuan

_FORMULA = re.compile(r"'*[=+\-@＝＋－＠]")
_FLAGS = {"1": True, "true": True, "0": False, "false": False}


class UnknownFormat(Refused):
    """The first line is not the header of a format that can be imported."""

    code = "unknown_format"
    status = 422


class Fault(ValueError):  # noqa: N818
    """Why a line is refused, as the end of a sentence that begins with the line."""


class Columns:
    """Where each known column is, by field; a field may go by several names."""

    def __init__(self, header: Sequence[str], fields: Mapping[str, Sequence[str]], required: Iterable[str]) -> None:
        places = {name.casefold(): place for place, name in enumerate(header)}
        self.width = len(header)
        self._found = {
            field: (header[places[name.casefold()]], places[name.casefold()])
            for field, names in fields.items()
            for name in names
            if name.casefold() in places
        }
        for field in required:
            if field not in self._found:
                raise UnknownFormat(f"the header has no column {fields[field][0]}")
        known = {place for _, place in self._found.values()}
        self.ignored = [name for place, name in enumerate(header) if place not in known and name]

    def name(self, field: str) -> str:
        return self._found[field][0]

    def cells(self, record: Record) -> dict[str, str]:
        """The cells of the known columns, tidy; raises Fault when the record has not one cell per column."""
        if len(record.cells) != self.width:
            raise Fault(f"has {len(record.cells)} cells where the header has {self.width}")
        return {field: bare(tidy(record.cells[place])) for field, (_, place) in self._found.items()}

    def text(self, cells: Mapping[str, str], field: str, kind: Any) -> str:
        text = cells[field]
        if (what := fault(text, kind)) is not None:
            raise Fault(f"{self.name(field)} {what}")
        return text

    def text_if_there(self, cells: Mapping[str, str], field: str, kind: Any) -> str | None:
        return self.text(cells, field, kind) if field in cells else None

    def price(self, cells: Mapping[str, str], field: str) -> Fen:
        try:
            price_fen = parse_yuan(cells[field])
        except ValueError:
            raise Fault(f"{self.name(field)} is not a price in yuan such as 12 or 12.34") from None
        if not 1 <= price_fen <= PRICE_MAX_FEN:
            raise Fault(f"{self.name(field)} is not between 0.01 and {yuan(PRICE_MAX_FEN)} yuan")
        return price_fen

    def list_price(self, cells: Mapping[str, str], field: str, price_fen: Fen) -> Fen | None:
        """The price itself when the cell is empty, None when there is no such column."""
        if field not in cells:
            return None
        return self.price(cells, field) if cells[field] else price_fen

    def stock(self, cells: Mapping[str, str], field: str) -> int | None:
        text = cells.get(field)
        if not text:
            return None
        if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > STOCK_MAX:
            raise Fault(f"{self.name(field)} is not a whole number between 0 and {STOCK_MAX}")
        return int(text)

    def flag(self, cells: Mapping[str, str], field: str) -> bool | None:
        text = cells.get(field)
        if not text:
            return None
        if text.casefold() not in _FLAGS:
            raise Fault(f"{self.name(field)} is neither 1 nor 0, neither TRUE nor FALSE")
        return _FLAGS[text.casefold()]


def category_path(names: Sequence[str]) -> CategoryPath:
    if not names:
        return NO_CATEGORY
    return CategoryPath(names[0] if len(names) > 1 else "", names[-1])


def yuan(amount_fen: int) -> str:
    """12345 fen as '123.45', without separators."""
    return f"{amount_fen // 100}.{amount_fen % 100:02}"


def number_text(value: int | None) -> str:
    return "" if value is None else str(value)


def guarded(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def bare(text: str) -> str:
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
