"""Live rooms against the database: who may change what, and what stays true whoever comes first."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from fairwind.content import (
    Ending,
    Opening,
    PinDraft,
    Pinning,
    Placement,
    PlacementInvalid,
    Placements,
    Starting,
    finish,
    open_rooms,
    pin,
    start,
    store,
)
from fairwind.content.commands import Unpinning, unpin
from fairwind.content.session import PINS_MAX, AlreadyLive, NoRoom, OffShelf, SessionEnded, State, TooManyPins
from fairwind.identity import NewPerson, Role, create_people
from fairwind.kernel import (
    Database,
    Forbidden,
    IdReused,
    LiveSessionId,
    NotFound,
    PersonId,
    ProductId,
    ShopId,
    Transaction,
    accepted,
    next_ids,
    uuid7,
)
from fairwind.kernel.audit import checks_of
from fairwind.kernel.pages import NEWEST

NOW = datetime(2020, 6, 18, 12, tzinfo=UTC)
STRANGER = PersonId(999_999_998)


async def creator(database: Database) -> PersonId:
    """A new creator with a room."""
    draft = NewPerson(f"host-{uuid7(NOW)}", "小风", "hash", frozenset({Role.CREATOR}))

    async def work(tx: Transaction) -> PersonId:
        [person] = await create_people(tx, [draft], NOW)
        await open_rooms(tx, [Opening(accepted(person).id, "乘风直播间")], NOW)
        return accepted(person).id

    return await database.run(work)


@pytest.fixture
async def host(database: Database) -> PersonId:
    return await creator(database)


async def live(database: Database, host_id: PersonId, title: str = "618") -> LiveSessionId:
    """A new live session of host_id."""
    item = Starting(LiveSessionId(uuid7(NOW)), host_id, title)
    [session] = await database.run(lambda tx: start(tx, [item], NOW))
    assert session.state is State.LIVE
    return item.id


async def products(database: Database, quantity: int = 1, *, on_shelf: bool = True) -> tuple[ShopId, list[ProductId]]:
    """A new shop with products in it."""
    async with database.transaction() as tx:
        shop_id, *product_ids = await next_ids(tx, 1 + quantity)
        await tx.execute(
            "INSERT INTO catalog.shop (shop_id, name, channel, opened_on, created_at)"
            " VALUES (%s, '店', 'own', %s::timestamptz, %s)",
            (shop_id, NOW, NOW),
        )
        await tx.execute(
            "INSERT INTO catalog.product (shop_id, id, code, title, brief, brand, unit, on_shelf, price_fen,"
            " created_at, updated_at) SELECT %s, id, id::text, '伞 ' || id, '', '', '把', %s, 9900, %s, %s"
            " FROM unnest(%s::bigint[]) AS id",
            (shop_id, on_shelf, NOW, NOW, product_ids),
        )
    return ShopId(shop_id), [ProductId(n) for n in product_ids]


async def test_a_creator_has_one_room_and_may_rename_it(database: Database, host: PersonId) -> None:
    [renamed, again] = await database.run(
        lambda tx: open_rooms(tx, [Opening(host, "A"), Opening(host, "B")], NOW + timedelta(days=1))
    )

    assert renamed == again
    assert (renamed.title, renamed.created_at) == ("B", NOW)
    async with database.transaction() as tx:
        assert await store.room(tx, renamed.id) == renamed


async def test_going_live_again_under_the_same_id_answers_the_session_as_it_stands(
    database: Database, host: PersonId
) -> None:
    item = Starting(LiveSessionId(uuid7(NOW)), host, "618")
    [first] = await database.run(lambda tx: start(tx, [item], NOW))
    [ended] = await database.run(lambda tx: finish(tx, [Ending(item.id, host)], NOW + timedelta(hours=2)))

    [again] = await database.run(lambda tx: start(tx, [item], NOW + timedelta(hours=3)))

    assert first.state is State.LIVE
    assert again == ended
    assert (ended.state, ended.ended_at) == (State.ENDED, NOW + timedelta(hours=2))


async def test_an_id_names_one_session_of_one_host(database: Database, host: PersonId) -> None:
    session_id, other = await live(database, host, "618"), await creator(database)
    items = [Starting(session_id, host, "other"), Starting(session_id, other, "618")]

    outcomes = await database.run(lambda tx: start(tx, items, NOW))

    assert [type(outcome) for outcome in outcomes] == [IdReused, IdReused]


async def test_a_creator_without_a_room_cannot_go_live(database: Database) -> None:
    [outcome] = await database.run(
        lambda tx: start(tx, [Starting(LiveSessionId(uuid7(NOW)), PersonId(999_999_999), "x")], NOW)
    )

    assert isinstance(outcome, NoRoom)


async def test_of_many_that_start_at_once_in_a_room_one_is_live(database: Database, host: PersonId) -> None:
    items = [Starting(LiveSessionId(uuid7(NOW)), host, "618") for _ in range(20)]

    single = [database.run(lambda tx, item=item: start(tx, [item], NOW)) for item in items[:10]]
    batch = database.run(lambda tx: start(tx, items[10:], NOW))
    outcomes = [outcome for answer in await asyncio.gather(batch, *single) for outcome in answer]

    kinds = [type(outcome) for outcome in outcomes]
    assert kinds.count(AlreadyLive) == 19
    assert len(kinds) == 20


async def test_only_the_host_ends_a_session(database: Database, host: PersonId) -> None:
    session_id = await live(database, host)

    missing = LiveSessionId(uuid7(NOW))
    outcomes = await database.run(
        lambda tx: finish(tx, [Ending(session_id, STRANGER), Ending(missing, host), Ending(session_id, host)], NOW)
    )

    assert [type(outcome) for outcome in outcomes[:2]] == [Forbidden, NotFound]
    assert outcomes[2].state is State.ENDED


async def test_a_clock_that_was_set_back_ends_a_session_no_earlier_than_it_began(
    database: Database, host: PersonId
) -> None:
    session_id = await live(database, host)

    [ended] = await database.run(lambda tx: finish(tx, [Ending(session_id, host)], NOW - timedelta(hours=1)))

    assert ended.ended_at == NOW


async def test_pins_are_shown_by_position_then_age_and_keep_their_age_when_moved(
    database: Database, host: PersonId
) -> None:
    session_id = await live(database, host)
    shop_id, [first, second, third] = await products(database, 3)

    def pinning(product_id: ProductId, position: int) -> Pinning:
        return Pinning(session_id, host, shop_id, product_id, PinDraft(position))

    await database.run(lambda tx: pin(tx, [pinning(second, 1)], NOW))
    await database.run(lambda tx: pin(tx, [pinning(first, 1), pinning(third, 2)], NOW + timedelta(minutes=1)))
    await database.run(lambda tx: pin(tx, [pinning(third, 0)], NOW + timedelta(minutes=2)))

    async with database.transaction() as tx:
        pins = (await tx.ask(store.pins([session_id])))[session_id]
    assert [one.product_id for one in pins] == [third, second, first]
    assert [one.pinned_at - NOW for one in pins] == [timedelta(minutes=1), timedelta(), timedelta(minutes=1)]


async def test_a_product_is_unpinned_and_pinned_afresh(database: Database, host: PersonId) -> None:
    session_id = await live(database, host)
    shop_id, [product_id] = await products(database)
    pinning = Pinning(session_id, host, shop_id, product_id, PinDraft())
    removing = Unpinning(session_id, host, shop_id, product_id)
    await database.run(lambda tx: pin(tx, [pinning], NOW))

    outcomes = await database.run(lambda tx: unpin(tx, [removing, removing], NOW + timedelta(minutes=1)))
    async with database.transaction() as tx:
        shown = (await tx.ask(store.pins([session_id])))[session_id]
    [again] = await database.run(lambda tx: pin(tx, [pinning], NOW + timedelta(minutes=2)))

    assert outcomes == [None, None]
    assert shown == []
    assert again.pinned_at == NOW + timedelta(minutes=2)


async def test_what_cannot_be_pinned_is_refused_and_its_neighbours_are_pinned(
    database: Database, host: PersonId
) -> None:
    session_id = await live(database, host)
    shop_id, [product_id] = await products(database)
    closed_shop, [off_shelf] = await products(database, on_shelf=False)
    draft = PinDraft()

    outcomes = await database.run(
        lambda tx: pin(
            tx,
            [
                Pinning(session_id, STRANGER, shop_id, product_id, draft),
                Pinning(session_id, host, closed_shop, off_shelf, draft),
                Pinning(session_id, host, closed_shop, product_id, draft),
                Pinning(LiveSessionId(uuid7(NOW)), host, shop_id, product_id, draft),
                Pinning(session_id, host, shop_id, product_id, draft),
            ],
            NOW,
        )
    )

    assert [type(outcome) for outcome in outcomes[:4]] == [Forbidden, OffShelf, NotFound, NotFound]
    assert outcomes[4].product_id == product_id


async def test_an_ended_session_stays_as_it_was(database: Database, host: PersonId) -> None:
    session_id = await live(database, host)
    shop_id, [product_id] = await products(database)
    await database.run(lambda tx: pin(tx, [Pinning(session_id, host, shop_id, product_id, PinDraft())], NOW))
    await database.run(lambda tx: finish(tx, [Ending(session_id, host)], NOW))

    [pinned] = await database.run(
        lambda tx: pin(tx, [Pinning(session_id, host, shop_id, product_id, PinDraft(5))], NOW)
    )
    [removed] = await database.run(lambda tx: unpin(tx, [Unpinning(session_id, host, shop_id, product_id)], NOW))

    async with database.transaction() as tx:
        pins = (await tx.ask(store.pins([session_id])))[session_id]
    assert isinstance(pinned, SessionEnded)
    assert isinstance(removed, SessionEnded)
    assert [(one.product_id, one.position) for one in pins] == [(product_id, 0)]


async def test_a_session_shows_no_more_products_than_it_may(database: Database, host: PersonId) -> None:
    session_id = await live(database, host)
    shop_id, product_ids = await products(database, PINS_MAX + 1)
    items = [Pinning(session_id, host, shop_id, product_id, PinDraft()) for product_id in product_ids]

    outcomes = await database.run(lambda tx: pin(tx, items, NOW))
    [moved] = await database.run(lambda tx: pin(tx, items[:1], NOW))

    assert [index for index, outcome in enumerate(outcomes) if isinstance(outcome, TooManyPins)] == [PINS_MAX]
    assert moved == outcomes[0]


async def test_the_list_of_live_sessions_goes_on_after_a_cursor_and_leaves_out_ended_ones(database: Database) -> None:
    hosts = [await creator(database) for _ in range(5)]
    later = NOW + timedelta(days=365)
    items = [Starting(LiveSessionId(uuid7(NOW)), host, "x") for host in hosts]
    await database.run(lambda tx: start(tx, items, later))
    await database.run(lambda tx: finish(tx, [Ending(items[0].id, hosts[0])], later))

    async with database.transaction() as tx:
        first = await store.live_sessions(tx, NEWEST, 2)
        rest = await store.live_sessions(tx, (first[-1].started_at, first[-1].id), 2)

    assert [one.id for one in first + rest] == sorted((item.id for item in items[1:]), reverse=True)


async def test_placements_are_read_with_the_installations_own_key(database: Database) -> None:
    shown = Placement(LiveSessionId(uuid7(NOW)), ShopId(1), ProductId(2), PersonId(3), NOW)

    token = await Placements(database).sign(shown)

    assert await Placements(database).read(token) == shown
    with pytest.raises(PlacementInvalid):
        await Placements(database).read(token[::-1])


DAMAGE = {
    "each room's host is a person": "UPDATE content.room SET host_id = -99 WHERE host_id = %(host)s",
    "each live session is held by the host of its room": (
        "UPDATE content.live_session SET host_id = -99 WHERE id = %(session)s"
    ),
    "each pin names a product that its shop has": (
        "UPDATE content.pin SET product_id = -99 WHERE session_id = %(session)s"
    ),
    "nothing was pinned before its live session began": (
        "UPDATE content.pin SET pinned_at = pinned_at - interval '1 second' WHERE session_id = %(session)s"
    ),
}


class Undone(Exception):  # noqa: N818
    """Rolls the damage back."""


@pytest.mark.parametrize("invariant", DAMAGE)
async def test_the_audit_finds_each_kind_of_damage(database: Database, host: PersonId, invariant: str) -> None:
    session_id = await live(database, host)
    shop_id, [product_id] = await products(database)
    await database.run(lambda tx: pin(tx, [Pinning(session_id, host, shop_id, product_id, PinDraft())], NOW))
    checks = checks_of("fairwind.content")
    assert [check.invariant for check in checks] == list(DAMAGE)

    async def offending(tx: Transaction) -> dict[str, int]:
        return {check.invariant: len(await tx.rows(check.sql)) for check in checks}

    with suppress(Undone):
        async with database.transaction() as tx:
            before = await offending(tx)
            await tx.execute(DAMAGE[invariant], {"host": host, "session": session_id})
            after = await offending(tx)
            raise Undone
    assert after[invariant] == before[invariant] + 1
