"""The traffic policy over HTTP: open to everybody to read, operators' to set."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post, put
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from fairwind.identity import Access, Caller
from fairwind.kernel import IdReused, Invalid, NotFound
from fairwind.kernel.pages import Cursor, Limit, Page, page, read_cursor
from fairwind.traffic.preview import NothingSampled
from fairwind.traffic.publishing import PolicyDraft, PolicyVersion, SettingView, settings
from fairwind.traffic.replay import Outlook
from fairwind.traffic.report import TrafficReport
from fairwind.traffic.traffic import Traffic

_VERSION_MAX = 2**31 - 1


class BackTo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The version to bring back."""

    version: Annotated[int, Meta(ge=1, le=_VERSION_MAX)]


@get("/traffic-policy", opt={"access": Access.PUBLIC})
async def get_policy(traffic: Traffic) -> PolicyVersion:
    """The policy by which traffic is shared now, with all its settings."""
    return await traffic.policy()


@get("/traffic-policy/settings", opt={"access": Access.PUBLIC})
async def list_settings() -> list[SettingView]:
    """What can be set: each setting with its unit, range and default."""
    return settings()


@get("/traffic-policies", opt={"access": Access.PUBLIC})
async def list_policies(
    traffic: Traffic, cursor: FromQuery[Cursor | None] = None, limit: FromQuery[Limit] = 20
) -> Page[PolicyVersion]:
    """All versions of the policy, the latest first."""
    before = read_cursor(cursor, int)
    found = await traffic.policies(_VERSION_MAX if before is None else max(0, min(before, _VERSION_MAX)), limit + 1)
    return page(found, limit, lambda each: each.version)


@post(
    "/traffic-policies/preview",
    status_code=200,
    opt={"access": Access.OPERATOR, "refusals": [Invalid, NothingSampled]},
)
async def preview_policy(data: JSONBody[PolicyDraft], traffic: Traffic) -> Outlook:
    """What the last day would have looked like under a policy, each figure with its 95 % confidence interval.

    Replayed on the requests that were kept with all their candidates. Clicks are estimated from what was shown, and not
    when too little of it would have been. Nothing is published.
    """
    return await traffic.preview(data)


@put("/traffic-policies/{request_id:uuid}", opt={"access": Access.OPERATOR, "refusals": [Invalid, IdReused]})
async def publish_policy(
    request_id: FromPath[UUID], data: JSONBody[PolicyDraft], caller: Caller, traffic: Traffic
) -> PolicyVersion:
    """Publish a policy under an id of your making (UUIDv7): all servers share traffic by it within seconds.

    Settings that are left out have their defaults. Try it out first: POST /traffic-policies/preview.
    """
    return await traffic.publish(request_id, data, caller.person)


@put("/traffic-policies/{request_id:uuid}/rollback", opt={"access": Access.OPERATOR, "refusals": [NotFound, IdReused]})
async def roll_back(
    request_id: FromPath[UUID], data: JSONBody[BackTo], caller: Caller, traffic: Traffic
) -> PolicyVersion:
    """Bring an earlier version back, as a new one."""
    return await traffic.go_back(request_id, data.version, caller.person)


@get("/traffic-report", opt={"access": Access.PUBLIC, "refusals": [NotFound]})
async def get_report(traffic: Traffic, day: FromQuery[date | None] = None) -> TrafficReport:
    """How traffic was shared on a day in China, counted from the exposure log, beside what was promised. Else today."""
    return await traffic.report(day)


HANDLERS = (get_report, get_policy, list_settings, list_policies, preview_policy, publish_policy, roll_back)
