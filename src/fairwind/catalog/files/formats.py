"""The two formats of a catalogue file: Fairwind's own and Shopify's product CSV. Pure.

A format is told from the header. Columns may come in any order; one that is absent leaves what the shop has, and one
that is not known is named in the report.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from io import StringIO
from typing import Literal, NamedTuple, Protocol

from fairwind.catalog.files import fairwind_format, shopify_format
from fairwind.catalog.files.columns import UnknownFormat
from fairwind.catalog.files.lines import Goods, Line, RefusedLine
from fairwind.catalog.files.records import Record

FormatName = Literal["fairwind", "shopify"]


class LineReader(Protocol):
    """Reads the lines of one file, after its header."""

    ignored_columns: list[str]

    def line(self, record: Record) -> Line | RefusedLine | None:
        """The line that a record holds; None for one that speaks of no SKU."""
        ...


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """rows as CSV, one line each."""
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


class Format(NamedTuple):
    """A format: the columns one of which tells it, how a file in it is read, and how one is written."""

    name: FormatName
    told_by: Collection[str]
    reader: Callable[[Sequence[str]], LineReader]
    header: Sequence[str]
    row: Callable[[Goods], list[str]]


FAIRWIND = Format(
    "fairwind", ["product_code"], fairwind_format.FairwindReader, fairwind_format.HEADER, fairwind_format.row
)
SHOPIFY = Format(
    "shopify", ["Handle", "URL handle"], shopify_format.ShopifyReader, shopify_format.HEADER, shopify_format.row
)
FORMATS: Mapping[FormatName, Format] = {"fairwind": FAIRWIND, "shopify": SHOPIFY}


def told(header: Sequence[str]) -> tuple[Format, LineReader]:
    """The format of the file that begins with header, and the reader of its lines; raises UnknownFormat."""
    names = [name.strip() for name in header]
    folded = [name.casefold() for name in names if name]
    for name in folded:
        if folded.count(name) > 1:
            raise UnknownFormat(f"the header has two columns called {name}; leave one")
    for form in FORMATS.values():
        if any(name.casefold() in folded for name in form.told_by):
            return form, form.reader(names)
    raise UnknownFormat(
        "the first line is the header of no format that can be imported: it names neither product_code (Fairwind) "
        "nor Handle (Shopify)"
    )
