"""Where hosts stand, and who is kept out of the feed, over HTTP."""

from __future__ import annotations

from uuid import UUID

from litestar import get, put
from litestar.params import FromPath, JSONBody

from fairwind.identity import Access, Caller
from fairwind.kernel import IdReused, Invalid, NotFound, ShopId
from fairwind.traffic.host import AlreadySuspended, HostKind, Subject, Suspension, SuspensionDraft
from fairwind.traffic.standing import Standing
from fairwind.traffic.traffic import Traffic


@get("/traffic/mine", opt={"access": Access.CREATOR, "refusals": [NotFound]})
async def get_own_standing(caller: Caller, traffic: Traffic) -> Standing:
    """Where your rooms stand: exposure, stage and what promotion needs, prices, and what keeps them from more."""
    return await traffic.standing(Subject(HostKind.CREATOR, caller.person))


@get("/shops/{shop_id:int}/traffic", opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound]})
async def get_shop_standing(shop_id: FromPath[ShopId], traffic: Traffic) -> Standing:
    """Where the shop's goods stand in the feed."""
    return await traffic.standing(Subject(HostKind.SHOP, shop_id))


@get("/traffic/hosts/{kind:str}/{subject_id:int}", opt={"access": Access.OPERATOR, "refusals": [NotFound]})
async def get_host_standing(kind: FromPath[HostKind], subject_id: FromPath[int], traffic: Traffic) -> Standing:
    """Where a creator or a shop stands."""
    return await traffic.standing(Subject(kind, subject_id))


@put(
    "/traffic/hosts/{kind:str}/{subject_id:int}/suspensions/{suspension_id:uuid}",
    opt={"access": Access.OPERATOR, "refusals": [NotFound, AlreadySuspended, IdReused, Invalid]},
)
async def suspend_host(
    kind: FromPath[HostKind],
    subject_id: FromPath[int],
    suspension_id: FromPath[UUID],
    data: JSONBody[SuspensionDraft],
    caller: Caller,
    traffic: Traffic,
) -> Suspension:
    """Keep a host out of the feed, from the next request on, under an id of your making (UUIDv7)."""
    return await traffic.suspend(Subject(kind, subject_id), suspension_id, data, caller.person)


@put("/traffic/suspensions/{suspension_id:uuid}/lifting", opt={"access": Access.OPERATOR, "refusals": [NotFound]})
async def lift_suspension(suspension_id: FromPath[UUID], caller: Caller, traffic: Traffic) -> Suspension:
    """Let a host be shown again; it is back within seconds."""
    return await traffic.lift(suspension_id, caller.person)


HANDLERS = (get_own_standing, get_shop_standing, get_host_standing, suspend_host, lift_suspension)
