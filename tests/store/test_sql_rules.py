"""The tables keep the rules under which they can be spread over machines by shop."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest

from fairwind.kernel.schema import steps_of
from fairwind.web import PACKAGES

STEPS = [step for package in PACKAGES for step in steps_of(package)]
SPREAD = {
    table: column
    for step in STEPS
    for table, column in re.findall(r"^-- distribute (\S+) by (\w+)$", step.sql, re.MULTILINE)
}
COPIED = {table for step in STEPS for table in re.findall(r"^-- reference (\S+)$", step.sql, re.MULTILINE)}
ON_COORDINATOR = {"alliance.link", "identity.membership", "content.pin"}
"""Tables that name a shop and stay with the people and the rooms that they belong to."""
OF_NO_SHOP = {"policy.buyer_cap"}
"""Spread by what they are about, which goes over all shops."""


@pytest.fixture
def ask(database_url: str) -> Any:
    def rows(query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(database_url) as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

    return rows


def test_every_table_of_shops_is_spread_by_shop(ask: Any) -> None:
    tables = ask("SELECT attrelid::regclass::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
                 "WHERE attname = 'shop_id' AND relkind = 'r'")  # fmt: skip

    assert {table for (table,) in tables} | OF_NO_SHOP == SPREAD.keys() | ON_COORDINATOR
    assert {table for table, column in SPREAD.items() if column != "shop_id"} == {"catalog.opening"} | OF_NO_SHOP


def test_every_key_of_a_spread_table_begins_with_what_it_is_spread_by(ask: Any) -> None:
    keys = ask("SELECT indrelid::regclass::text, attname FROM pg_index "
               "JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] WHERE indisunique")  # fmt: skip

    assert {table: column for table, column in keys if table in SPREAD} == SPREAD
    assert [key for key in keys if key[0] in SPREAD and key[1] != SPREAD[key[0]]] == []


def test_every_foreign_key_of_a_spread_table_stays_with_the_shop_and_has_a_name(ask: Any) -> None:
    foreign = ask("SELECT conrelid::regclass::text, conname, confrelid::regclass::text, attname FROM pg_constraint "
                  "JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1] WHERE contype = 'f'")  # fmt: skip

    for table, name, to, first in foreign:
        if table in SPREAD:
            assert to in COPIED or (to in SPREAD and first == SPREAD[table] == SPREAD[to]), name
            assert not name.endswith("_fkey"), f"{name} of {table} was not given a name"


def test_foreign_keys_between_spread_tables_come_in_a_step_after_the_tables() -> None:
    for step in STEPS:
        created = dict(re.findall(r"^CREATE (?:UNLOGGED )?TABLE (\S+) \((.*?)^\)", step.sql, re.MULTILINE | re.DOTALL))
        for table in created.keys() & SPREAD.keys():
            assert "REFERENCES" not in created[table], f"{table} in step {step.name}"


def test_no_table_makes_its_own_ids_or_has_triggers(ask: Any) -> None:
    ours = "(" + ", ".join(f"'{package.rpartition('.')[2]}'" for package in PACKAGES) + ")"

    assert ask("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal") == []
    assert ask(f"SELECT table_name FROM information_schema.columns WHERE table_schema IN {ours} "
               "AND (is_identity = 'YES' OR column_default LIKE 'nextval%')") == []  # fmt: skip
