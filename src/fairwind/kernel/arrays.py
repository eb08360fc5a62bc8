"""PostgreSQL array literals, so that a batch travels as a few columns. Pure.

The driver adapts a list element by element in Python; joining the text at once takes a tenth of that. The statement
casts each: `unnest(%s::bigint[])`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID


def int_array(values: Iterable[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def uuid_array(values: Iterable[UUID | None]) -> str:
    """None becomes NULL."""
    return "{" + ",".join(["NULL" if value is None else value.hex for value in values]) + "}"


def bytes_array(values: Iterable[bytes]) -> str:
    return "{" + ",".join(['"\\\\x' + value.hex() + '"' for value in values]) + "}"


def text_array(values: Iterable[object]) -> str:
    """Texts, or whatever the statement casts from text, such as ids that may be missing; None becomes NULL."""
    return "{" + ",".join(["NULL" if value is None else _quoted(str(value)) for value in values]) + "}"


def time_array(values: Iterable[datetime | None]) -> str:
    """None becomes NULL."""
    return "{" + ",".join(["NULL" if value is None else f'"{value.isoformat()}"' for value in values]) + "}"


def _quoted(value: str) -> str:
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'
