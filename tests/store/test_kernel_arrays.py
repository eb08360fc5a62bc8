"""Array literals: whatever goes in comes back from the real database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fairwind.kernel import bytes_array, int_array, text_array, time_array, uuid_array

through_the_database = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True, options="-c timezone=UTC") as connection:
        yield connection


def returned(connection: psycopg.Connection[Any], literal: str, kind: str) -> Sequence[Any]:
    query = f"SELECT value FROM unnest(%s::{kind}[]) WITH ORDINALITY AS item (value, place) ORDER BY place"
    return [value for (value,) in connection.execute(query, (literal,))]


bigints = st.integers(-(2**63), 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
nasty = st.lists(st.sampled_from(list("\"\\{},\n\r\t 'NULnul$%é乘😀\u2028\x01")), max_size=6).map("".join)
offsets = st.timedeltas(timedelta(hours=-15), timedelta(hours=15)).map(
    lambda offset: timezone(timedelta(seconds=offset // timedelta(seconds=1)))
)
times = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC) | offsets)  # noqa: DTZ001


@through_the_database
@given(values=st.lists(bigints))
def test_integers(connection: psycopg.Connection[Any], values: list[int]) -> None:
    assert returned(connection, int_array(values), "bigint") == values


@through_the_database
@given(values=st.lists(st.uuids()))
def test_uuids(connection: psycopg.Connection[Any], values: list[UUID]) -> None:
    assert returned(connection, uuid_array(values), "uuid") == values


@through_the_database
@given(values=st.lists(st.binary()))
def test_bytes(connection: psycopg.Connection[Any], values: list[bytes]) -> None:
    assert returned(connection, bytes_array(values), "bytea") == values


@through_the_database
@given(values=st.lists(st.none() | texts | nasty))
@example(["", "NULL", "null", None, '"', "\\", '\\"', "{}", "{a,b}", ",", " ", "\n", "a\r\nb", "😀", "%s", "'"])
def test_texts(connection: psycopg.Connection[Any], values: list[str | None]) -> None:
    assert returned(connection, text_array(values), "text") == values


@through_the_database
@given(values=st.lists(st.none() | times))
def test_times_of_any_zone_come_back_as_the_same_instant(
    connection: psycopg.Connection[Any], values: list[datetime | None]
) -> None:
    found = returned(connection, time_array(values), "timestamptz")

    assert found == values
    assert all(value.utcoffset() == timedelta() for value in found if value)


def test_what_writes_itself_as_text_can_be_cast(connection: psycopg.Connection[Any]) -> None:
    class Channel(IntEnum):
        OWN = 1

    some_id = UUID(int=7)
    assert returned(connection, text_array([some_id, None]), "uuid") == [some_id, None]
    assert returned(connection, int_array([Channel.OWN]), "bigint") == [1]


def test_nul_is_refused_by_the_driver_and_never_cuts_a_text_short(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.DataError):
        returned(connection, text_array(["before\0after"]), "text")
