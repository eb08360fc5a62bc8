"""What an import tells of itself, while it runs and at its end. Pure."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from fairwind.catalog.files.formats import FormatName
from fairwind.catalog.files.lines import Merged, RefusedLine

SHOWN_MAX = 1000


class Progress(NamedTuple):
    """How far an import has come."""

    read_bytes: int
    lines: int
    refused: int


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a catalogue file.

    lines: those that spoke of a SKU; each was created, changed, unchanged or refused. refused_lines: the first
    thousand. ignored_columns: columns of the file that Fairwind has no place for.
    """

    format: FormatName = "fairwind"
    encoding: str = "utf-8"
    lines: int = 0
    products_created: int = 0
    products_changed: int = 0
    skus_created: int = 0
    skus_changed: int = 0
    skus_unchanged: int = 0
    refused: int = 0
    refused_lines: list[RefusedLine] = []
    ignored_columns: list[str] = []

    def plus(self, merged: Merged, refused: list[RefusedLine]) -> ImportReport:
        """This report with what became of some more lines."""
        return msgspec.structs.replace(
            self,
            lines=self.lines + merged.skus_created + merged.skus_changed + merged.skus_unchanged + len(refused),
            products_created=self.products_created + merged.products_created,
            products_changed=self.products_changed + merged.products_changed,
            skus_created=self.skus_created + merged.skus_created,
            skus_changed=self.skus_changed + merged.skus_changed,
            skus_unchanged=self.skus_unchanged + merged.skus_unchanged,
            refused=self.refused + len(refused),
            refused_lines=[*self.refused_lines, *refused][:SHOWN_MAX],
        )
