"""Support programmes over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime

from litestar import get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from fairwind.identity import Access, Caller
from fairwind.kernel import IdReused, Invalid, NotFound, ShopId
from fairwind.kernel.pages import BIGINT_MAX, Cursor, Limit, Page, page, read_cursor
from fairwind.kernel.rates import RateTooHigh
from fairwind.policy.enrolment import Enrolment
from fairwind.policy.moments import TooSoon
from fairwind.policy.policy import Policy
from fairwind.policy.programme import Programme
from fairwind.policy.programme_draft import ProgrammeDraft, ProgrammeEnd, ProgrammeEnded, ProgrammeOverlaps
from fairwind.policy.standing import ShopSupport

_LATEST = (datetime.max.replace(tzinfo=UTC), BIGINT_MAX)


@get("/support-programmes", opt={"access": Access.PUBLIC})
async def list_programmes(
    policy: Policy,
    ended: FromQuery[bool] = False,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 50,
) -> Page[Programme]:
    """Support programmes for merchants, in force and to come; with `ended` also those that are over."""
    found = await policy.programmes(read_cursor(cursor, int) or 0, limit + 1, ended=ended)
    return page(found, limit, lambda programme: programme.id)


@post(
    "/support-programmes",
    opt={
        "access": Access.OPERATOR,
        "refusals": [RateTooHigh, ProgrammeOverlaps, TooSoon, Invalid, NotFound, IdReused],
    },
)
async def publish_programme(data: JSONBody[ProgrammeDraft], caller: Caller, policy: Policy) -> Programme:
    """Publish a support programme, or the next version of one for a time of its own.

    It is never edited, only ended. The same draft again answers the same programme.
    """
    return await policy.publish_programme(caller.person, data)


@put(
    "/support-programmes/{programme_id:int}/end",
    opt={"access": Access.OPERATOR, "refusals": [NotFound, TooSoon, ProgrammeEnded]},
)
async def end_programme(
    programme_id: FromPath[int], data: JSONBody[ProgrammeEnd], caller: Caller, policy: Policy
) -> Programme:
    """End a support programme earlier than it would. One that has not begun is withdrawn."""
    return await policy.end_programme(caller.person, programme_id, data.ends_at)


@get("/shops/{shop_id:int}/support", opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound]})
async def get_support(shop_id: FromPath[ShopId], policy: Policy) -> ShopSupport:
    """Which support programmes a shop has now, and of each of its channel why or why not."""
    return await policy.support_of(shop_id)


@get("/shops/{shop_id:int}/enrolments", opt={"access": Access.SHOP_MEMBER})
async def list_enrolments(
    shop_id: FromPath[ShopId],
    policy: Policy,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 50,
) -> Page[Enrolment]:
    """What a shop has earned, by what it did and for how long, the latest first."""
    found = await policy.enrolments(shop_id, read_cursor(cursor, tuple[datetime, int]) or _LATEST, limit + 1)
    return page(found, limit, lambda enrolment: (enrolment.starts_at, enrolment.programme_id))


HANDLERS = (list_programmes, publish_programme, end_programme, get_support, list_enrolments)
