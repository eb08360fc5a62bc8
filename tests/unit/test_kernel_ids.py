"""UUIDv7: the time first, then randomness."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from fairwind.kernel import uuid7, uuid7s

times = st.datetimes(datetime(1970, 1, 1), datetime(2900, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(value: UUID) -> int:
    return value.int >> 80


@given(times)
def test_an_id_is_of_version_7_and_holds_its_millisecond(now: datetime) -> None:
    value = uuid7(now)

    assert (value.version, value.variant) == (7, RFC_4122)
    assert milliseconds(value) == (now - EPOCH) // timedelta(milliseconds=1)


@given(times, st.timedeltas(timedelta(milliseconds=1), timedelta(days=1)))
def test_an_id_made_a_millisecond_later_is_greater(now: datetime, later: timedelta) -> None:
    assert uuid7(now) < uuid7(now + later)


@given(times, st.integers(0, 300))
def test_ids_of_one_batch_ascend_and_differ(now: datetime, count: int) -> None:
    values = uuid7s(now, count)

    assert len(set(values)) == count
    assert values == sorted(values)
    assert all((value.version, value.variant) == (7, RFC_4122) for value in values)


def test_every_other_bit_is_random() -> None:
    values = [value.int for value in uuid7s(EPOCH, 1000)]
    ever = never = 0
    for value in values:
        ever |= value
        never |= ~value
    moving = ever & never

    assert moving == (1 << 80) - 1 & ~(0xF << 76 | 0x3 << 62)
