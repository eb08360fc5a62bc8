"""What a feed has shown so far, as the cursor of its next page. Pure.

Four bytes for each item: two items that share them would keep each other off a later page, once in millions.
"""

from __future__ import annotations

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from fairwind.kernel.pages import BadCursor

ITEMS_MAX = 400
"""A feed ends after so many items: who wants more begins anew."""
FeedCursor = Annotated[
    str, Meta(max_length=2200, description="`next_cursor` of the page before; absent for the first page")
]


def written(codes: Sequence[int]) -> str:
    """The cursor that remembers these items."""
    return urlsafe_b64encode(struct.pack(f">{len(codes)}I", *codes)).decode().rstrip("=")


def read(cursor: str | None) -> tuple[int, ...]:
    """The items that cursor remembers; none without one. Raises BadCursor."""
    if cursor is None:
        return ()
    try:
        packed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        codes = struct.unpack(f">{len(packed) // 4}I", packed)
    except (Error, ValueError, struct.error):
        codes = ()
    if not 0 < len(codes) <= ITEMS_MAX:
        raise BadCursor("the cursor is not one that a feed gave out; leave it out to begin anew")
    return codes
