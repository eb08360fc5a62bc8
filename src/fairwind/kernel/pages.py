"""Pages of a list: items in a stated order, and a cursor that says where the next page begins. Pure.

A store reads one row more than asked for, after the key in the cursor (`WHERE (created_at, id) < (…) ORDER BY … LIMIT
limit + 1`), so that a page knows whether there is another; nothing is counted and nothing shifts while someone leafs.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import msgspec
from msgspec import Meta

from fairwind.kernel.refusals import Refused

T = TypeVar("T")
K = TypeVar("K")

BIGINT_MAX = 2**63 - 1

Before = tuple[datetime, UUID]
"""The key of a list that shows the newest first: what comes before this moment and id."""
NEWEST: Before = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))
"""All of such a list. A value rather than NULL: `$1 IS NULL OR …` hides the key from the index."""

Limit = Annotated[int, Meta(ge=1, le=100, description="Most items in the answer")]
Cursor = Annotated[str, Meta(max_length=512, description="`next_cursor` of the page before; absent for the first page")]


class BadCursor(Refused):
    """The cursor is not one that this list gave out."""

    code = "bad_cursor"
    status = 400


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some items of a list; next_cursor is null on the last page."""

    items: list[T]
    next_cursor: str | None = None


def page(found: Sequence[T], limit: int, key: Callable[[T], object]) -> Page[T]:
    """The first `limit` of found, which holds up to limit + 1 items in order.

    key: what the list is ordered by, of one item; anything that msgspec can encode, such as (created_at, id).
    """
    items = list(found[:limit])
    return Page(items, write_cursor(key(items[-1])) if len(found) > limit else None)


def write_cursor(key: object) -> str:
    return urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def read_cursor(cursor: str | None, shape: type[K]) -> K | None:
    """The key in cursor as `shape`, for example tuple[datetime, UUID]; None without a cursor. Raises BadCursor."""
    if cursor is None:
        return None
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        key = msgspec.json.decode(text, type=shape)
    except (Error, ValueError, msgspec.MsgspecError):
        key = None
    if key is None or not _storable(key):
        raise BadCursor("the cursor is not one that this list gave out; leave it out to begin with the first page")
    return key


def read_before(cursor: str | None) -> Before:
    """The key in the cursor of a list that shows the newest first; NEWEST without a cursor. Raises BadCursor."""
    return read_cursor(cursor, tuple[datetime, UUID]) or NEWEST


def _storable(key: Any) -> bool:
    """Whether PostgreSQL can compare with it: a forged cursor must not become a failed statement."""
    if isinstance(key, int):
        return -BIGINT_MAX <= key <= BIGINT_MAX
    if isinstance(key, str):
        return "\0" not in key
    return not isinstance(key, tuple | list) or all(map(_storable, key))
