"""Fee schedules, quotes, the comparison of channels, and after-sales windows over HTTP."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post, put
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from fairwind.identity import Access, Caller
from fairwind.kernel import FEN_MAX, CategoryId, Fen, IdReused, Invalid, NotFound, Ppm, ShopId
from fairwind.kernel.pages import Cursor, Limit, Page, page, read_cursor
from fairwind.kernel.rates import COMMISSION_PPM_MAX, RateTooHigh
from fairwind.policy.comparison import Comparison
from fairwind.policy.moments import Moment, TooSoon
from fairwind.policy.policy import Policy
from fairwind.policy.quote import Quote
from fairwind.policy.schedule import AgesOverlap, CategoryRef, RatesIncomplete, Schedule, ScheduleDraft
from fairwind.policy.window import Window, WindowDraft

Amount = Annotated[Fen, Meta(ge=0, le=FEN_MAX, description="What is paid for goods, in fen")]
Price = Annotated[Fen, Meta(ge=1, le=FEN_MAX, description="What buyers pay for the good, in fen")]
Commission = Annotated[Ppm, Meta(ge=0, le=COMMISSION_PPM_MAX, description="What creator and agency get, in ppm")]
NO_COMMISSION = Ppm(0)
At = Annotated[Moment, Meta(description="When the order is placed; absent for now")]


@get("/fee-schedules", opt={"access": Access.PUBLIC})
async def list_schedules(
    policy: Policy, cursor: FromQuery[Cursor | None] = None, limit: FromQuery[Limit] = 20
) -> Page[Schedule]:
    """The fee schedule in force and those to come, in the order in which they begin."""
    after = read_cursor(cursor, int) or 0
    found = [each for each in await policy.schedules() if each.version > after]
    return page(found, limit, lambda schedule: schedule.version)


@get("/fee-schedules/{version:int}", opt={"access": Access.PUBLIC, "refusals": [NotFound]})
async def get_schedule(version: FromPath[int], policy: Policy) -> Schedule:
    """A fee schedule, of today or of former times."""
    return await policy.schedule(version)


@post(
    "/fee-schedules",
    opt={
        "access": Access.OPERATOR,
        "refusals": [RateTooHigh, AgesOverlap, RatesIncomplete, TooSoon, Invalid, NotFound, IdReused],
    },
)
async def publish_schedule(data: JSONBody[ScheduleDraft], caller: Caller, policy: Policy) -> Schedule:
    """Publish all service fees from a time on, in place of whatever was published for that time before.

    It is never edited: whoever erred publishes another. The same draft again answers the same schedule.
    """
    return await policy.publish_schedule(caller.person, data)


@get("/shops/{shop_id:int}/fee-quote", opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound, Invalid]})
async def get_quote(
    shop_id: FromPath[ShopId],
    policy: Policy,
    amount_fen: FromQuery[Amount],
    category_id: FromQuery[CategoryRef | None] = None,
    at: FromQuery[At | None] = None,
) -> Quote:
    """What the platform asks of an amount, and why. For a time to come: as far as is known today."""
    return await policy.quote(shop_id, amount_fen, category_id, at)


@get("/channel-comparison", opt={"access": Access.PUBLIC, "refusals": [NotFound, Invalid]})
async def compare_channels(
    policy: Policy,
    price_fen: FromQuery[Price],
    commission_ppm: FromQuery[Commission] = NO_COMMISSION,
    category_id: FromQuery[CategoryRef | None] = None,
    at: FromQuery[At | None] = None,
) -> Comparison:
    """What the same good nets through an own shop, new or not, through each ISV and through a supplier, best first."""
    return await policy.compare(price_fen, commission_ppm, category_id, at)


@get("/after-sales-windows", opt={"access": Access.PUBLIC})
async def list_windows(
    policy: Policy, cursor: FromQuery[Cursor | None] = None, limit: FromQuery[Limit] = 100
) -> Page[Window]:
    """The after-sales windows of categories that have their own: what is in force, and what was set since."""
    after = read_cursor(cursor, tuple[CategoryId, int]) or (CategoryId(0), 0)
    found = await policy.windows(after, limit + 1)
    return page(found, limit, lambda window: (window.category_id, window.version))


@put(
    "/categories/{category_id:int}/after-sales-window",
    opt={"access": Access.OPERATOR, "refusals": [NotFound, TooSoon, Invalid]},
)
async def set_window(
    category_id: FromPath[CategoryId], data: JSONBody[WindowDraft], caller: Caller, policy: Policy
) -> Window:
    """Set how long after receipt goods of a category may come back, for orders placed from a time on."""
    return await policy.set_window(caller.person, category_id, data)


HANDLERS = (
    list_schedules,
    get_schedule,
    publish_schedule,
    get_quote,
    compare_channels,
    list_windows,
    set_window,
)
