"""Bytes of a CSV file in, numbered records out, a block at a time: memory does not grow with the file. Pure.

What cannot be read costs only itself. A quote that is never closed would swallow the rest of the file: its line is
refused and reading goes on with the next one.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from io import StringIO
from typing import NamedTuple

from fairwind.catalog.files.lines import RefusedLine
from fairwind.kernel import Refused

BLOCK_BYTES = 1 << 16
RECORD_MAX_CHARS = 1 << 17
"""What the csv module takes in one cell; here for a record as a whole."""
_TOO_LONG = f"is longer than {RECORD_MAX_CHARS} characters"
_LOOK_AHEAD_MAX_CHARS = 1 << 24
_PACKED = (b"PK\x03\x04", b"\x1f\x8b", b"\xd0\xcf\x11\xe0")
"""How zip files (.xlsx too), gzip files and old workbooks (.xls) begin."""
_UNREADABLE = re.compile("[\\x00\\ud800-\\udfff]")


class Unreadable(Refused):
    """The file is no CSV text in UTF-8 or GB18030."""

    code = "unreadable_file"
    status = 422


class Record(NamedTuple):
    """The cells of one record, and the number of its first line, counted from 1 as an editor does."""

    line: int
    cells: list[str]


class RecordReader:
    """Takes the file in pieces of any size; blank lines are passed over.

    encoding: 'utf-8' or 'gb18030', found out at the first block with anything but ASCII in it.
    """

    def __init__(self) -> None:
        self.encoding = "utf-8"
        self._decoder: codecs.IncrementalDecoder | None = None
        self._block = bytearray()
        self._rest = ""
        self._lines: list[str] = []
        self._line = 1
        self._looked_ahead = 0

    def feed(self, data: bytes) -> Iterator[Record | RefusedLine]:
        """The records that data completes."""
        self._block += data
        if len(self._block) >= BLOCK_BYTES:
            yield from self._read(final=False)

    def end(self) -> Iterator[Record | RefusedLine]:
        """The records that are left when the file has ended."""
        yield from self._read(final=True)

    def _read(self, *, final: bool) -> Iterator[Record | RefusedLine]:
        text = self._decode(final=final)
        if self._line == 1 and not self._rest:
            text = text.removeprefix("\ufeff")
        self._split(text, final=final)
        while self._lines:
            taken = 0
            reader = csv.reader(self._lines, strict=True)
            try:
                for cells in reader:
                    if any(cells):
                        yield self._record(self._line + taken, cells, self._lines[taken : reader.line_num])
                    taken = reader.line_num
                self._drop(taken)
            except csv.Error as error:
                self._drop(taken)
                if not final and "unexpected end" in str(error) and sum(map(len, self._lines)) <= RECORD_MAX_CHARS:
                    return
                yield RefusedLine(self._line, _reason(error, self._lines[0]))
                looked_at = reader.line_num - taken
                self._looked_ahead += sum(map(len, self._lines[1:looked_at]))
                # Past that much this is no catalogue: what a quote swallows is given up with it.
                self._drop(1 if self._looked_ahead <= _LOOK_AHEAD_MAX_CHARS else looked_at)

    def _record(self, line: int, cells: list[str], lines: list[str]) -> Record | RefusedLine:
        text = "".join(lines)
        if len(text) > RECORD_MAX_CHARS:
            return RefusedLine(line, _TOO_LONG)
        if _UNREADABLE.search(text):
            return RefusedLine(line, f"holds a NUL or bytes that are not {self.encoding.upper()}")
        return Record(line, cells)

    def _drop(self, count: int) -> None:
        self._line += count
        del self._lines[:count]

    def _split(self, text: str, *, final: bool) -> None:
        """Lines end with \\n, \\r or both, and nothing else; the last one may go on in the next block."""
        lines = StringIO(self._rest + text, newline="").readlines()
        self._rest = ""
        if lines and not final and not lines[-1].endswith("\n"):
            # No more is kept of an endless line than shows that it is one.
            self._rest = lines.pop()[: RECORD_MAX_CHARS + 1]
        self._lines += lines

    def _decode(self, *, final: bool) -> str:
        """The block as text; bytes that are none become surrogates, which no line may hold."""
        block = bytes(self._block)
        self._block.clear()
        if self._decoder is None:
            if block.isascii():
                return block.decode()
            self.encoding = _encoding(block)
            self._decoder = codecs.getincrementaldecoder(self.encoding)("surrogateescape")
        return self._decoder.decode(block, final)


def _encoding(block: bytes) -> str:
    """UTF-8 unless more than a quarter of what is not ASCII does not fit it: half of all GB18030 does not."""
    if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Unreadable("the file is in UTF-16; save it as CSV in UTF-8")
    if block.startswith(_PACKED):
        raise Unreadable("the file is a workbook or compressed; save it as CSV in UTF-8")
    whole = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(block)
    strange = sum("\udc80" <= c <= "\udcff" for c in whole)
    beyond = sum(byte >= 0x80 for byte in block)
    return "utf-8" if strange * 4 <= beyond else "gb18030"


def _reason(error: csv.Error, line: str) -> str:
    """Why the record that begins with line is refused."""
    if len(line) > RECORD_MAX_CHARS:
        return _TOO_LONG
    if "expected after" in str(error):
        return "has text after the quote that closes a cell; a quote inside a quoted cell is written twice"
    if "unexpected end" in str(error) or "field larger" in str(error):
        return "opens a quote that is never closed"
    return f"is not CSV: {error}"
