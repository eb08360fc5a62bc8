"""Placements: what was signed is read back, and nothing else is."""

from __future__ import annotations

import string
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from fairwind.content.placement import Placement, read, sign
from fairwind.kernel import LiveSessionId, PersonId, ProductId, ShopId

KEY = bytes(range(32))
SHOWN = Placement(
    LiveSessionId(UUID("01900000-0000-7000-8000-000000000001")),
    ShopId(42),
    ProductId(7),
    PersonId(9),
    datetime(2020, 6, 18, 20, 0, 0, 123456, tzinfo=UTC),
)

ids = st.integers(1, 2**63 - 1)
placements = st.builds(
    Placement,
    session_id=st.uuids().map(LiveSessionId),
    shop_id=ids.map(ShopId),
    product_id=ids.map(ProductId),
    creator_id=ids.map(PersonId),
    issued_at=st.datetimes(timezones=st.just(UTC)),
)
keys = st.binary(min_size=32, max_size=32)


@given(shown=placements, key=keys)
def test_a_signed_placement_is_read_back_whole(shown: Placement, key: bytes) -> None:
    assert read(sign(shown, key), key) == shown


@given(shown=placements)
def test_a_token_is_short_and_safe_in_a_url(shown: Placement) -> None:
    token = sign(shown, KEY)

    assert len(token) == 88
    assert set(token) <= set(string.ascii_letters + string.digits + "-_")


@given(shown=placements, bit=st.integers(0, 88 * 8 - 1))
def test_a_token_with_any_bit_flipped_is_refused(shown: Placement, bit: int) -> None:
    token = bytearray(sign(shown, KEY).encode())
    token[bit // 8] ^= 1 << bit % 8

    assert read(token.decode("latin-1"), KEY) is None


def test_every_other_character_at_every_place_is_refused() -> None:
    token = sign(SHOWN, KEY)

    for place, right in enumerate(token):
        for wrong in map(chr, range(256)):
            if wrong != right:
                assert read(token[:place] + wrong + token[place + 1 :], KEY) is None


@given(shown=placements, key=keys, other=keys)
def test_another_key_reads_nothing(shown: Placement, key: bytes, other: bytes) -> None:
    assert key == other or read(sign(shown, key), other) is None


@given(junk=st.text() | st.text(min_size=88, max_size=88) | st.binary(min_size=66, max_size=66).map(bytes.hex))
def test_junk_is_refused_without_an_error(junk: str) -> None:
    assert read(junk, KEY) is None


@given(junk=st.text(string.ascii_letters + string.digits + "-_=+/", min_size=88, max_size=88))
def test_base64_that_nobody_signed_is_refused(junk: str) -> None:
    assert read(junk, KEY) is None


def test_a_token_stays_readable_by_later_versions() -> None:
    assert (
        sign(SHOWN, KEY) == "AAEBkAAAAABwAIAAAAAAAAABAAAAAAAAACoAAAAAAAAABwAAAAAAAAAJAAWoYTizUkCeJIH2ZdRyTx4o8WlYWm3H"
    )
