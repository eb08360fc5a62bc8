"""The operator's part of the alliance over HTTP: the platform's share of commissions, and who is the head."""

from __future__ import annotations

import msgspec
from litestar import get, post
from litestar.params import JSONBody

from fairwind.alliance.commands.fees import set_fee
from fairwind.alliance.fee import AllianceFee, FeeDraft
from fairwind.alliance.store.fees import fees
from fairwind.alliance.store.sales import head_of
from fairwind.identity import Access, Caller
from fairwind.kernel import Clock, Database, Invalid, PersonId


class HeadMember(msgspec.Struct, frozen=True):
    """A creator of the head, and their rank in it."""

    creator_id: PersonId
    rank: int


@get("/alliance-fees", opt={"access": Access.PUBLIC})
async def list_fees(database: Database) -> list[AllianceFee]:
    """The platform's share of commissions: all versions there have been, newest first."""
    async with database.transaction() as tx:
        return await tx.ask(fees())


@post("/alliance-fees", opt={"access": Access.OPERATOR, "refusals": [Invalid]})
async def post_fee(data: JSONBody[FeeDraft], caller: Caller, database: Database, clock: Clock) -> AllianceFee:
    """Set the platform's share of commissions from a time on; a rise begins at the next midnight in China at the
    earliest. Placed orders keep theirs.
    """
    return await database.run(lambda tx: set_fee(tx, data, caller.person, clock.now()))


@get("/alliance-head", opt={"access": Access.OPERATOR})
async def list_head(database: Database) -> list[HeadMember]:
    """The creators who sold most of late, for whom kept stock is not."""
    async with database.transaction() as tx:
        return [HeadMember(creator_id, rank) for creator_id, rank in (await tx.ask(head_of())).items()]


HANDLERS = (list_fees, post_fee, list_head)
