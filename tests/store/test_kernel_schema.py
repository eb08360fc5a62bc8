"""Schema versions: planted contexts are brought up to date, all or nothing, and never past what the code knows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from fairwind.kernel import schema
from fairwind.kernel.database import DatabaseError
from fairwind.kernel.schema import SchemaError, missing, steps_of, upgrade

FIRST = "-- version 1\n\nCREATE TABLE shelf.good (id bigint PRIMARY KEY);\n"
SECOND = FIRST + "\n-- version 2\nALTER TABLE shelf.good ADD COLUMN title text NOT NULL DEFAULT '';\n"
PACKAGES = ["fairwind.kernel", "plant.shelf"]


def asked(url: str, query: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def schemas(url: str) -> set[str]:
    rows = asked(url, "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_'")
    return {name for (name,) in rows} - {"public", "information_schema"}


def columns(url: str) -> set[str]:
    return {name for (name,) in asked(url, "SELECT column_name FROM information_schema.columns "
                                           "WHERE table_schema = 'shelf'")}  # fmt: skip


def test_a_new_database_takes_every_step_in_order_and_says_so(empty_database_url: str, plant: Any) -> None:
    plant("shelf", schema=SECOND)
    reported: list[str] = []

    assert [step.name for step in missing(empty_database_url, PACKAGES)] == ["kernel 1", "shelf 1", "shelf 2"]
    assert schemas(empty_database_url) == set(), "to look changes nothing"
    upgrade(empty_database_url, PACKAGES, lambda step: reported.append(step.name))

    assert reported == ["kernel 1", "shelf 1", "shelf 2"]
    assert schemas(empty_database_url) == {"kernel", "shelf"}
    assert columns(empty_database_url) == {"id", "title"}


def test_a_database_that_is_up_to_date_stays_as_it_is(empty_database_url: str, plant: Any) -> None:
    plant("shelf", schema=FIRST)
    upgrade(empty_database_url, PACKAGES)

    assert missing(empty_database_url, PACKAGES) == []
    assert upgrade(empty_database_url, PACKAGES) == []


def test_an_older_database_takes_what_is_missing_and_keeps_what_it_holds(empty_database_url: str, plant: Any) -> None:
    plant("shelf", schema=FIRST)
    upgrade(empty_database_url, PACKAGES)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("INSERT INTO shelf.good VALUES (7)")

    plant("shelf", schema=SECOND)
    assert [step.name for step in upgrade(empty_database_url, PACKAGES)] == ["shelf 2"]

    assert asked(empty_database_url, "SELECT id, title FROM shelf.good") == [(7, "")]


def test_a_context_that_is_new_is_added(empty_database_url: str, plant: Any) -> None:
    plant("shelf", schema=FIRST)
    upgrade(empty_database_url, PACKAGES)

    plant("till", schema="-- version 1\nCREATE TABLE till.coin (id bigint);")
    assert [step.name for step in upgrade(empty_database_url, [*PACKAGES, "plant.till"])] == ["till 1"]


@pytest.mark.parametrize("ask", [missing, upgrade])
def test_a_newer_database_is_refused_and_left_alone(empty_database_url: str, plant: Any, ask: Any) -> None:
    plant("shelf", schema=SECOND)
    plant("till", schema="-- version 1\nCREATE TABLE till.coin (id bigint);")
    upgrade(empty_database_url, [*PACKAGES, "plant.till"])

    plant("shelf", schema=FIRST)
    with pytest.raises(SchemaError) as refused:
        ask(empty_database_url, PACKAGES)

    assert "made by a newer Fairwind (it has shelf 2, till 1)" in str(refused.value)
    assert "install that version or name another data folder" in str(refused.value)
    assert columns(empty_database_url) == {"id", "title"}


def test_a_step_that_fails_takes_all_others_back_and_is_named(empty_database_url: str, plant: Any) -> None:
    plant("shelf", schema=SECOND + "-- version 3\nALTER TABLE shelf.god ADD COLUMN price_fen bigint;")

    with pytest.raises(SchemaError) as failed:
        upgrade(empty_database_url, PACKAGES)

    assert str(failed.value).startswith('step shelf 3 failed: relation "shelf.god" does not exist')
    assert str(failed.value).endswith("Nothing was changed.")
    assert schemas(empty_database_url) == set()


def test_a_name_that_is_taken_is_told(empty_database_url: str, plant: Any) -> None:
    plant("shelf", schema=FIRST)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE SCHEMA shelf")

    with pytest.raises(SchemaError, match='step shelf 1 failed: schema "shelf" already exists'):
        upgrade(empty_database_url, PACKAGES)


def test_of_servers_that_start_at_once_one_upgrades_and_the_others_find_it_done(
    empty_database_url: str, plant: Any
) -> None:
    plant("shelf", schema=SECOND)
    with ThreadPoolExecutor(6) as servers:
        taken = list(servers.map(lambda _: upgrade(empty_database_url, PACKAGES), range(6)))

    assert sorted(len(steps) for steps in taken) == [0, 0, 0, 0, 0, 3]


def test_a_line_that_distributes_a_table_means_nothing_without_citus(empty_database_url: str, plant: Any) -> None:
    plant("shelf", schema=FIRST + "-- distribute shelf.good by id\n")

    upgrade(empty_database_url, PACKAGES)
    assert columns(empty_database_url) == {"id"}


@pytest.mark.parametrize(
    "sql", ["-- version 2\nSELECT 1;", "-- version 1\n-- version 3\n", "-- version 1\n-- version 1\n"]
)
def test_versions_that_do_not_count_from_one_are_a_programmer_error(plant: Any, sql: str) -> None:
    plant("shelf", schema=sql)

    with pytest.raises(AssertionError, match="versions count from 1"):
        steps_of("plant.shelf")


def test_a_server_of_another_major_version_is_refused(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_SERVER_MAJORS", range(99, 100))

    with pytest.raises(DatabaseError, match=r"PostgreSQL 1\d is not supported; Fairwind needs PostgreSQL 16, 17 or 18"):
        upgrade(empty_database_url, PACKAGES)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://shop:hunter2@127.0.0.1:1/db", "cannot connect to PostgreSQL at dbname=db host=127.0.0.1 port=1"),
        ("postgresql://shop:hunter2@127.0.0.1:x/db", "cannot connect to PostgreSQL at dbname=db host=127.0.0.1 port=x"),
        ("postgresql//shop:hunter2@db", "FAIRWIND_DATABASE_URL is not an address such as"),
    ],
)
@pytest.mark.parametrize("ask", [missing, upgrade])
def test_a_server_that_cannot_be_reached_is_told_without_the_password(ask: Any, url: str, message: str) -> None:
    with pytest.raises(DatabaseError) as refused:
        ask(url, ["fairwind.kernel"])

    assert message in str(refused.value)
    assert "FAIRWIND_DATABASE_URL" in str(refused.value)
    assert "hunter2" not in str(refused.value)
