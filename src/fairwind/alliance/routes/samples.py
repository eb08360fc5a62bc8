"""Samples over HTTP: what shops offer, what creators ask for, and what happens then."""

from __future__ import annotations

from datetime import timedelta

from litestar import get, put
from litestar.params import FromPath, FromQuery, JSONBody

from fairwind.alliance.commands import samples as commands
from fairwind.alliance.commands.samples import Requesting
from fairwind.alliance.sample import (
    NoSamples,
    Sample,
    SampleAction,
    SampleAnswer,
    SampleDraft,
    SampleId,
    SampleLimit,
    SampleOffer,
    SampleOfferDraft,
    SampleShipment,
    SampleShowing,
    SampleState,
    SampleStep,
)
from fairwind.alliance.store import samples as store
from fairwind.identity import Access, Caller
from fairwind.kernel import Clock, Database, IdReused, NotFound, ProductId, Settings, ShopId, accepted
from fairwind.kernel.pages import Cursor, Limit, Page, page, read_before
from fairwind.kernel.states import WrongState


@put(
    "/shops/{shop_id:int}/products/{product_id:int}/sample-offer",
    opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound]},
)
async def put_sample_offer(
    shop_id: FromPath[ShopId], product_id: FromPath[ProductId], data: JSONBody[SampleOfferDraft], database: Database
) -> SampleOffer:
    """Say how many samples of a product you give, in all and to one creator. What has been given stays counted."""
    return await database.run(lambda tx: commands.offer_samples(tx, shop_id, product_id, data))


@get(
    "/shops/{shop_id:int}/products/{product_id:int}/sample-offer",
    opt={"access": Access.PUBLIC, "refusals": [NotFound]},
)
async def get_sample_offer(
    shop_id: FromPath[ShopId], product_id: FromPath[ProductId], database: Database
) -> SampleOffer:
    """How many samples of a product its shop gives, and how many it has given."""
    async with database.transaction() as tx:
        offer = await store.offer(tx, shop_id, product_id)
    if offer is None:
        raise NotFound("the shop gives no samples of this product")
    return offer


@put(
    "/shops/{shop_id:int}/samples/{sample_id:uuid}",
    opt={"access": Access.CREATOR, "refusals": [NotFound, NoSamples, SampleLimit, IdReused]},
)
async def request_sample(
    shop_id: FromPath[ShopId],
    sample_id: FromPath[SampleId],
    data: JSONBody[SampleDraft],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> Sample:
    """Ask a shop for a sample, under an id of your making (UUIDv7). Asked again, it answers the sample as it stands."""
    item = Requesting(sample_id, caller.person, data)
    [sample] = await database.run(lambda tx: commands.request_samples(tx, shop_id, [item], clock.now()))
    return accepted(sample)


@get("/samples", opt={"access": Access.CREATOR})
async def list_my_samples(
    caller: Caller, database: Database, cursor: FromQuery[Cursor | None] = None, limit: FromQuery[Limit] = 20
) -> Page[Sample]:
    """The samples that you have asked for, newest first."""
    async with database.transaction() as tx:
        found = await store.samples_of_creator(tx, caller.person, read_before(cursor), limit + 1)
    return page(found, limit, lambda sample: (sample.requested_at, sample.id))


@get("/shops/{shop_id:int}/samples", opt={"access": Access.SHOP_MEMBER})
async def list_shop_samples(
    shop_id: FromPath[ShopId],
    database: Database,
    state: FromQuery[SampleState | None] = None,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[Sample]:
    """What creators have asked the shop for, newest first; all or those in one state."""
    async with database.transaction() as tx:
        found = await store.samples_of_shop(tx, shop_id, state, read_before(cursor), limit + 1)
    return page(found, limit, lambda sample: (sample.requested_at, sample.id))


@put(
    "/shops/{shop_id:int}/samples/{sample_id:uuid}/approval",
    opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound, WrongState, NoSamples]},
)
async def approve_sample(
    shop_id: FromPath[ShopId],
    sample_id: FromPath[SampleId],
    data: JSONBody[SampleAnswer],
    database: Database,
    clock: Clock,
    settings: Settings,
) -> Sample:
    """Agree to give a sample."""
    step = SampleStep(sample_id, SampleAction.APPROVE, message=data.message)
    return await _moved(database, clock, settings, shop_id, step)


@put(
    "/shops/{shop_id:int}/samples/{sample_id:uuid}/refusal",
    opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound, WrongState]},
)
async def decline_sample(
    shop_id: FromPath[ShopId],
    sample_id: FromPath[SampleId],
    data: JSONBody[SampleAnswer],
    database: Database,
    clock: Clock,
    settings: Settings,
) -> Sample:
    """Give no sample, and say why."""
    step = SampleStep(sample_id, SampleAction.DECLINE, message=data.message)
    return await _moved(database, clock, settings, shop_id, step)


@put(
    "/shops/{shop_id:int}/samples/{sample_id:uuid}/shipment",
    opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound, WrongState]},
)
async def ship_sample(
    shop_id: FromPath[ShopId],
    sample_id: FromPath[SampleId],
    data: JSONBody[SampleShipment],
    database: Database,
    clock: Clock,
    settings: Settings,
) -> Sample:
    """Say that a sample you agreed to is on its way."""
    step = SampleStep(sample_id, SampleAction.SHIP, shipment=data)
    return await _moved(database, clock, settings, shop_id, step)


@put(
    "/shops/{shop_id:int}/samples/{sample_id:uuid}/withdrawal",
    opt={"access": Access.CREATOR, "refusals": [NotFound, WrongState]},
)
async def withdraw_sample(
    shop_id: FromPath[ShopId],
    sample_id: FromPath[SampleId],
    caller: Caller,
    database: Database,
    clock: Clock,
    settings: Settings,
) -> Sample:
    """Take back your request, as long as the shop has not answered it."""
    step = SampleStep(sample_id, SampleAction.WITHDRAW, caller.person)
    return await _moved(database, clock, settings, shop_id, step)


@put(
    "/shops/{shop_id:int}/samples/{sample_id:uuid}/receipt",
    opt={"access": Access.CREATOR, "refusals": [NotFound, WrongState]},
)
async def receive_sample(
    shop_id: FromPath[ShopId],
    sample_id: FromPath[SampleId],
    caller: Caller,
    database: Database,
    clock: Clock,
    settings: Settings,
) -> Sample:
    """Say that your sample has arrived. From now on you have the time until `show_by` to show it."""
    step = SampleStep(sample_id, SampleAction.RECEIVE, caller.person)
    return await _moved(database, clock, settings, shop_id, step)


@put(
    "/shops/{shop_id:int}/samples/{sample_id:uuid}/showing",
    opt={"access": Access.CREATOR, "refusals": [NotFound, WrongState]},
)
async def show_sample(
    shop_id: FromPath[ShopId],
    sample_id: FromPath[SampleId],
    data: JSONBody[SampleShowing],
    caller: Caller,
    database: Database,
    clock: Clock,
    settings: Settings,
) -> Sample:
    """Say where you have shown your sample."""
    step = SampleStep(sample_id, SampleAction.SHOW, caller.person, url=data.url)
    return await _moved(database, clock, settings, shop_id, step)


async def _moved(database: Database, clock: Clock, settings: Settings, shop_id: ShopId, step: SampleStep) -> Sample:
    show_within = timedelta(seconds=settings.sample_show_within_s)
    [sample] = await database.run(
        lambda tx: commands.move_samples(tx, shop_id, [step], clock.now(), show_within=show_within)
    )
    return accepted(sample)


HANDLERS = (
    put_sample_offer,
    get_sample_offer,
    request_sample,
    list_my_samples,
    list_shop_samples,
    approve_sample,
    decline_sample,
    ship_sample,
    withdraw_sample,
    receive_sample,
    show_sample,
)
