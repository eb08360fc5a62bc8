"""Before the sale: people, shops and goods. Made once, and found again by every later run on the same data folder."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import timedelta
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

import httpx

from fairwind.demo import store
from fairwind.demo.words import Say, Tell
from fairwind.identity import SESSION_COOKIE, NewPerson, Role, create_people, hash_password, open_sessions
from fairwind.kernel import Clock, Database, PersonId, ShopId, Transaction

PASSWORD = "fairwind-demo"  # noqa: S105  printed at the end; the demo listens on this machine only
OPERATOR, HOST, SHARER, AGENCY = "operator@demo", "host@demo", "sharer@demo", "agency@demo"
BUYER = "buyer-1@demo"
_REAL_CATALOGUE = Path("shared/data/catalogue.csv")
_PEOPLE_AT_A_TIME = 1000


class ShopPlan(NamedTuple):
    """A shop to open. freight: its rule. creator_ppm: what creators earn of its goods."""

    name: str
    channel: str
    freight: dict[str, Any]
    creator_ppm: int


SHOPS = (
    ShopPlan("乘风优选", "own", {"flat_fen": 800, "free_from_fen": 9900, "regions": {"54": 2500, "65": 1800}}, 200_000),
    ShopPlan("有物生活馆", "youzan", {"flat_fen": 1000, "free_from_fen": 19_900, "regions": {}}, 150_000),
    ShopPlan("万家百货铺", "mokuai", {"flat_fen": 600, "free_from_fen": None, "regions": {"54": 3000}}, 120_000),
    ShopPlan("京选自营仓", "supplier", {"flat_fen": 0, "free_from_fen": None, "regions": {}}, 100_000),
)
"""One shop of each channel."""


class Shop(NamedTuple):
    """A shop of the demo, and the session of the merchant who runs it."""

    id: ShopId
    plan: ShopPlan
    name: str
    login: str
    session: str


class Stage(NamedTuple):
    """Everything a live sale needs. operator, host, sharer, agency and buyers: their session tokens."""

    shops: Sequence[Shop]
    operator: str
    host: str
    sharer: str
    agency: str
    buyers: Sequence[str]
    host_id: PersonId
    sharer_id: PersonId
    agency_id: PersonId


def accounts(say: Say) -> dict[str, str]:
    """Whom one may sign in as, and who that is."""
    staff = {login: f"{name}, {', '.join(roles)}" for login, name, roles in _staff()}
    return staff | {BUYER: say("a buyer; there are more")}


def catalogue() -> tuple[str, str]:
    """The real catalogue when it lies beside the current folder or the checkout, else the sample: its name and text."""
    checkout = Path(__file__).resolve().parents[3]
    for folder in (Path.cwd().parent, checkout.parent):
        if (folder / _REAL_CATALOGUE).is_file():
            return str(folder / _REAL_CATALOGUE), (folder / _REAL_CATALOGUE).read_text(encoding="utf-8-sig")
    return "the sample catalogue", files("fairwind.demo").joinpath("sample_catalogue.csv").read_text(encoding="utf-8")


async def set_up(url: str, database: Database, clock: Clock, buyers: int, ttl: timedelta, tell: Tell) -> Stage:
    """People through the database, since thousands of passwords take long to hash; all else through the HTTP API."""
    people = await _people(database, clock, [*_staff(), *_buyers(buyers)])
    merchants = [_merchant(number) for number in range(len(SHOPS))]
    logins = [OPERATOR, HOST, SHARER, AGENCY, *merchants, *(login for login, _, _ in _buyers(buyers))]
    tokens = await database.run(lambda tx: open_sessions(tx, [people[login] for login in logins], clock.now(), ttl))
    sessions = dict(zip(logins, tokens, strict=True))
    tell(
        "{people} people are there: 2 creators, 1 agency, {merchants} merchants, {buyers} buyers",
        people=f"{len(people):,}",
        merchants=len(SHOPS),
        buyers=f"{buyers:,}",
    )
    name, text = catalogue()
    shops = []
    for plan, login, part in zip(SHOPS, merchants, divided(text, len(SHOPS)), strict=True):
        async with signed_in(url, sessions[login]) as merchant:
            shop_id, done = await _open_shop(merchant, plan, part)
        shops.append(Shop(shop_id, plan, plan.name, login, sessions[login]))
        tell(
            "{shop} ({channel}): {new} SKUs imported, {there} were there, {refused} refused",
            shop=plan.name,
            channel=plan.channel,
            new=done["skus_created"],
            there=done["skus_unchanged"],
            refused=done["refused"],
        )
    tell("goods from {name}", name=name)
    tokens = [sessions[login] for login, _, _ in _buyers(buyers)]
    return Stage(
        shops,
        sessions[OPERATOR],
        sessions[HOST],
        sessions[SHARER],
        sessions[AGENCY],
        tokens,
        people[HOST],
        people[SHARER],
        people[AGENCY],
    )


def made_id(name: str) -> str:
    """An id that is the same in every run."""
    return str(uuid5(NAMESPACE_URL, f"fairwind:demo:{name}"))


def signed_in(url: str, session: str) -> httpx.AsyncClient:
    """An HTTP client of whoever holds the session; a refusal is an error."""

    async def succeed(response: httpx.Response) -> None:
        if response.is_error:
            await response.aread()
            raise RuntimeError(f"{response.request.method} {response.request.url.path}: {response.text}")

    return httpx.AsyncClient(
        base_url=url,
        cookies={SESSION_COOKIE: session},
        event_hooks={"response": [succeed]},
        timeout=60,
        trust_env=False,
    )


def divided(text: str, parts: int) -> list[str]:
    """A catalogue cut into parts with the same header; all lines of a category go to one part, in turn."""
    rows = csv.DictReader(StringIO(text))
    names = rows.fieldnames or []
    outs = [StringIO() for _ in range(parts)]
    writers = [csv.DictWriter(out, names, lineterminator="\n") for out in outs]
    places: dict[str, int] = {}
    for writer in writers:
        writer.writeheader()
    for row in rows:
        place = places.setdefault(row["category"], len(places) % parts)
        writers[place].writerow(row)
    return [out.getvalue() for out in outs]


def _staff() -> Iterator[tuple[str, str, frozenset[Role]]]:
    yield OPERATOR, "平台运营", frozenset({Role.OPERATOR})
    # A creator needs a shop of their own to add goods of the alliance, so they are merchants as well.
    yield HOST, "主播小风", frozenset({Role.CREATOR, Role.MERCHANT})
    yield SHARER, "达人小雨", frozenset({Role.CREATOR, Role.MERCHANT})
    yield AGENCY, "乘风机构", frozenset({Role.AGENCY})
    for number, plan in enumerate(SHOPS):
        yield _merchant(number), f"{plan.name}店主", frozenset({Role.MERCHANT})


def _merchant(number: int) -> str:
    return f"merchant-{number + 1}@demo"


def _buyers(count: int) -> Iterator[tuple[str, str, frozenset[Role]]]:
    for number in range(1, count + 1):
        yield f"buyer-{number}@demo", f"买家 {number}", frozenset({Role.BUYER})


async def _people(
    database: Database, clock: Clock, wanted: Sequence[tuple[str, str, frozenset[Role]]]
) -> dict[str, PersonId]:
    """The ids of the people wanted, by login; who has not signed up yet does so now."""
    logins = [login for login, _, _ in wanted]

    async def work(tx: Transaction) -> dict[str, PersonId]:
        there = await store.people(tx, logins)
        missing = [person for person in wanted if person[0] not in there]
        password_hash = hash_password(PASSWORD) if missing else ""
        for start in range(0, len(missing), _PEOPLE_AT_A_TIME):
            some = missing[start : start + _PEOPLE_AT_A_TIME]
            drafts = [NewPerson(login, name, password_hash, roles) for login, name, roles in some]
            await create_people(tx, drafts, clock.now())
        return await store.people(tx, logins)

    return await database.run(work)


async def _open_shop(merchant: httpx.AsyncClient, plan: ShopPlan, goods: str) -> tuple[ShopId, dict[str, int]]:
    """Open the shop, set its freight and import its goods; what the import came to. What is there stays."""
    opening = {"id": made_id(plan.channel), "name": plan.name}
    shop = (await merchant.post("/shops", json=opening | {"channel": plan.channel})).json()
    await merchant.put(f"/shops/{shop['id']}/freight-rule", json=plan.freight)
    imported = await merchant.post(
        f"/shops/{shop['id']}/imports", content=goods.encode(), headers={"content-type": "text/csv"}
    )
    return ShopId(shop["id"]), imported.json()
