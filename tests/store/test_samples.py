"""Samples against the database: limits that hold whoever comes first, and what falls due by itself."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from fairwind.alliance.commands.samples import Requesting, move_samples, offer_samples, request_samples
from fairwind.alliance.commands.watch import Watch
from fairwind.alliance.sample import (
    NoSamples,
    Sample,
    SampleAction,
    SampleAddress,
    SampleDraft,
    SampleId,
    SampleLimit,
    SampleOfferDraft,
    SampleShipment,
    SampleState,
    SampleStep,
)
from fairwind.alliance.store import samples as store
from fairwind.kernel import (
    Database,
    IdReused,
    NotFound,
    PersonId,
    Platform,
    ProductId,
    Refused,
    Settings,
    ShiftedClock,
    accepted,
    uuid7,
)
from fairwind.kernel.pages import NEWEST
from fairwind.kernel.states import WrongState
from market import NOW, Shop, open_shop

ADDRESS = SampleAddress("小风", "13800000000", "330106", "文三路 1 号")
SHOW_WITHIN = timedelta(days=15)
CREATOR, OTHER = PersonId(70), PersonId(71)


@pytest.fixture
async def shop(database: Database) -> Shop:
    """A shop that gives two samples of its first product, one to each creator."""
    shop = await open_shop(database, 10, 10)
    await database.run(lambda tx: offer_samples(tx, shop.id, shop.product_ids[0], SampleOfferDraft(2)))
    return shop


def asking(shop: Shop, creator_id: PersonId = CREATOR, place: int = 0) -> Requesting:
    draft = SampleDraft(shop.product_ids[place], ADDRESS, "试穿")
    return Requesting(SampleId(uuid7(NOW)), creator_id, draft)


async def ask(database: Database, shop: Shop, *items: Requesting, now: datetime = NOW) -> list[Sample | Refused]:
    return await database.run(lambda tx: request_samples(tx, shop.id, items, now))


async def move(
    database: Database, shop: Shop, sample: Sample, *actions: SampleAction, now: datetime = NOW
) -> Sample | Refused:
    """What the last of these actions comes to."""
    outcome: Sample | Refused = sample
    for action in actions:
        creators = {SampleAction.WITHDRAW, SampleAction.RECEIVE, SampleAction.SHOW}
        step = SampleStep(
            sample.id,
            action,
            sample.creator_id if action in creators else None,
            shipment=SampleShipment("顺丰", "SF1234"),
            url="/live-sessions/1",
        )
        [outcome] = await database.run(lambda tx, step=step: move_samples(tx, shop.id, [step], now, SHOW_WITHIN))
    return outcome


async def kept(database: Database, shop: Shop, sample: Sample) -> Sample:
    async with database.transaction() as tx:
        return (await tx.ask(store.samples(shop.id, [sample.id])))[sample.id]


async def test_a_sample_is_asked_for_once_under_one_id(database: Database, shop: Shop) -> None:
    item = asking(shop)
    [first] = await ask(database, shop, item)
    [again] = await ask(database, shop, item, now=NOW + timedelta(days=1))
    [reused] = await ask(database, shop, replace(item, draft=replace(item.draft, note="另一件")))

    assert accepted(first) == again == await kept(database, shop, accepted(first))
    assert isinstance(reused, IdReused)


async def test_limits_hold_within_a_batch_and_between_batches(database: Database, shop: Shop) -> None:
    first, second, nothing, missing = await ask(
        database,
        shop,
        asking(shop),
        asking(shop),
        asking(shop, place=1),
        replace(asking(shop), draft=SampleDraft(ProductId(1), ADDRESS)),
    )
    [third] = await ask(database, shop, asking(shop))

    assert isinstance(first, Sample)
    assert isinstance(second, SampleLimit)
    assert isinstance(third, SampleLimit)
    assert isinstance(nothing, NoSamples)
    assert isinstance(missing, NotFound)
    assert isinstance(await move(database, shop, first, SampleAction.WITHDRAW), Sample)
    [fourth] = await ask(database, shop, asking(shop))
    assert isinstance(fourth, Sample)


async def test_of_creators_that_come_at_once_each_gets_one(database: Database, shop: Shop) -> None:
    outcomes = await asyncio.gather(*(ask(database, shop, asking(shop)) for _ in range(6)))

    assert sorted(type(each).__name__ for [each] in outcomes) == ["Sample"] + ["SampleLimit"] * 5


async def test_approvals_that_come_at_once_never_give_more_than_is_offered(database: Database, shop: Shop) -> None:
    asked = [accepted(each) for each in await ask(database, shop, *(asking(shop, PersonId(80 + n)) for n in range(5)))]

    outcomes = await asyncio.gather(*(move(database, shop, each, SampleAction.APPROVE) for each in asked))

    assert sorted(type(each).__name__ for each in outcomes) == ["NoSamples"] * 3 + ["Sample"] * 2
    async with database.transaction() as tx:
        offer = await store.offer(tx, shop.id, shop.product_ids[0])
    assert offer is not None
    assert (offer.quantity, offer.given_quantity) == (2, 2)


async def test_a_sample_travels_and_is_shown(database: Database, shop: Shop) -> None:
    [sample] = await ask(database, shop, asking(shop))
    shown = await move(
        database,
        shop,
        accepted(sample),
        SampleAction.APPROVE,
        SampleAction.SHIP,
        SampleAction.RECEIVE,
        SampleAction.SHOW,
    )

    assert isinstance(shown, Sample)
    assert shown == await kept(database, shop, shown)
    assert (shown.state, shown.shown_at_url, shown.show_by) == ("shown", "/live-sessions/1", NOW + SHOW_WITHIN)
    assert await move(database, shop, shown, SampleAction.SHOW) == shown
    assert isinstance(await move(database, shop, shown, SampleAction.APPROVE), WrongState)
    no_such = replace(shown, id=SampleId(uuid7(NOW)))
    assert isinstance(await move(database, shop, no_such, SampleAction.APPROVE), NotFound)


async def test_what_is_not_shown_in_time_is_overdue(database: Database, shop: Shop) -> None:
    clock = ShiftedClock()
    asked = await ask(database, shop, asking(shop), asking(shop, OTHER))
    late, shown = [accepted(each) for each in asked]
    for each in (late, shown):
        await move(database, shop, each, SampleAction.APPROVE, SampleAction.SHIP)
        await move(database, shop, each, SampleAction.RECEIVE, now=clock.now() - SHOW_WITHIN)
    await move(database, shop, shown, SampleAction.SHOW)
    watch = Watch(Platform(database, clock, Settings()))

    await watch.miss_samples()

    assert (await kept(database, shop, late)).state is SampleState.OVERDUE
    assert (await kept(database, shop, shown)).state is SampleState.SHOWN


async def test_samples_are_listed_for_the_shop_and_for_the_creator(database: Database, shop: Shop) -> None:
    creator, other = PersonId(9_000_001), PersonId(9_000_002)
    [first] = await ask(database, shop, asking(shop, creator))
    [second] = await ask(database, shop, asking(shop, other), now=NOW + timedelta(hours=1))
    await move(database, shop, accepted(first), SampleAction.DECLINE)

    async with database.transaction() as tx:
        assert [each.id for each in await store.samples_of_shop(tx, shop.id, None, NEWEST, 9)] == [
            accepted(second).id,
            accepted(first).id,
        ]
        [declined] = await store.samples_of_shop(tx, shop.id, SampleState.DECLINED, NEWEST, 9)
        assert await store.samples_of_creator(tx, creator, NEWEST, 9) == [declined]


async def test_raising_an_offer_keeps_what_was_given(database: Database, shop: Shop) -> None:
    [sample] = await ask(database, shop, asking(shop))
    await move(database, shop, accepted(sample), SampleAction.APPROVE)

    raised = await database.run(
        lambda tx: offer_samples(tx, shop.id, shop.product_ids[0], SampleOfferDraft(9, per_creator_max=2))
    )

    assert (raised.quantity, raised.per_creator_max, raised.given_quantity) == (9, 2, 1)
    with pytest.raises(NotFound):
        await database.run(lambda tx: offer_samples(tx, shop.id, ProductId(1), SampleOfferDraft(1)))
