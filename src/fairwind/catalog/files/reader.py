"""A catalogue file in pieces of any size in, its lines out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fairwind.catalog.files.columns import UnknownFormat
from fairwind.catalog.files.formats import FormatName, LineReader, told
from fairwind.catalog.files.lines import Line, RefusedLine
from fairwind.catalog.files.records import Record, RecordReader


class FileReader:
    """Reads one file. The format is known once its header has been read; raises UnknownFormat or Unreadable."""

    def __init__(self) -> None:
        self._records = RecordReader()
        self._format: FormatName | None = None
        self._lines: LineReader | None = None

    @property
    def encoding(self) -> str:
        return self._records.encoding

    @property
    def format(self) -> FormatName:
        if self._format is None:
            raise UnknownFormat("the file is empty; its first line is to be a header")
        return self._format

    @property
    def ignored_columns(self) -> list[str]:
        return self._lines.ignored_columns if self._lines else []

    def feed(self, data: bytes) -> Iterator[Line | RefusedLine]:
        """The lines that data completes, and why others are refused."""
        return self._read(self._records.feed(data))

    def end(self) -> Iterator[Line | RefusedLine]:
        """What is left when the file has ended."""
        return self._read(self._records.end())

    def _read(self, records: Iterable[Record | RefusedLine]) -> Iterator[Line | RefusedLine]:
        for record in records:
            if self._lines is None:
                self._begin(record)
            elif isinstance(record, RefusedLine):
                yield record
            elif (line := self._lines.line(record)) is not None:
                yield line

    def _begin(self, header: Record | RefusedLine) -> None:
        if isinstance(header, RefusedLine):
            raise UnknownFormat(f"line {header.line}, which is to be the header, {header.reason}")
        form, self._lines = told(header.cells)
        self._format = form.name
