"""Content over HTTP."""

from __future__ import annotations

import msgspec
from litestar import delete, get, put
from litestar.params import FromPath, FromQuery, JSONBody

from fairwind.content import commands, store
from fairwind.content.commands import Ending, Opening, Pinning, Starting, Unpinning
from fairwind.content.placements import Placements
from fairwind.content.session import (
    AlreadyLive,
    LiveSession,
    NoRoom,
    OffShelf,
    Pin,
    PinDraft,
    PinnedProduct,
    Room,
    RoomDraft,
    RoomId,
    SessionDraft,
    SessionEnded,
    SessionView,
    TooManyPins,
    placement,
)
from fairwind.identity import Access, Caller
from fairwind.kernel import (
    Clock,
    Database,
    Forbidden,
    IdReused,
    LiveSessionId,
    NotFound,
    ProductId,
    ShopId,
    accepted,
)
from fairwind.kernel.pages import Cursor, Limit, Page, page, read_before


@put("/rooms/mine", opt={"access": Access.CREATOR})
async def open_room(data: JSONBody[RoomDraft], caller: Caller, database: Database, clock: Clock) -> Room:
    """Open your room, or give it another title."""
    item = Opening(caller.person, data.title)
    [room] = await database.run(lambda tx: commands.open_rooms(tx, [item], clock.now()))
    return room


@get("/rooms/{room_id:int}", opt={"access": Access.PUBLIC, "refusals": [NotFound]})
async def show_room(room_id: FromPath[RoomId], database: Database) -> Room:
    """One room."""
    async with database.transaction() as tx:
        room = await store.room(tx, room_id)
    if room is None:
        raise NotFound(f"there is no room {room_id}")
    return room


@put(
    "/live-sessions/{session_id:uuid}",
    opt={"access": Access.CREATOR, "refusals": [IdReused, NoRoom, AlreadyLive]},
)
async def start(
    session_id: FromPath[LiveSessionId], data: JSONBody[SessionDraft], caller: Caller, database: Database, clock: Clock
) -> LiveSession:
    """Go live in your room under an id of your making (UUIDv7). Asked again, it answers the session as it stands."""
    item = Starting(session_id, caller.person, data.title)
    [session] = await database.run(lambda tx: commands.start(tx, [item], clock.now()))
    return accepted(session)


@put("/live-sessions/{session_id:uuid}/end", opt={"access": Access.CREATOR, "refusals": [NotFound, Forbidden]})
async def end(session_id: FromPath[LiveSessionId], caller: Caller, database: Database, clock: Clock) -> LiveSession:
    """End your live session."""
    item = Ending(session_id, caller.person)
    [session] = await database.run(lambda tx: commands.finish(tx, [item], clock.now()))
    return accepted(session)


@get("/live-sessions", opt={"access": Access.PUBLIC})
async def list_live(
    database: Database, cursor: FromQuery[Cursor | None] = None, limit: FromQuery[Limit] = 20
) -> Page[LiveSession]:
    """What is live now, newest first."""
    async with database.transaction() as tx:
        found = await store.live_sessions(tx, read_before(cursor), limit + 1)
    return page(found, limit, lambda session: (session.started_at, session.id))


@get("/live-sessions/{session_id:uuid}", opt={"access": Access.PUBLIC, "refusals": [NotFound]})
async def show(session_id: FromPath[LiveSessionId], database: Database, placements: Placements) -> SessionView:
    """One live session with the goods pinned in it, each with the placement token to hand in with an order."""
    async with database.transaction() as tx:
        sessions, pins = await tx.together(store.sessions([session_id]), store.pins([session_id]))
        if session_id not in sessions:
            raise commands.no_session(session_id)
        found = await commands.products(tx, [(pin.shop_id, pin.product_id) for pin in pins[session_id]])
    session: LiveSession = sessions[session_id]
    shown = []
    for pin in pins[session_id]:
        product = found[pin.shop_id, pin.product_id]
        token = await placements.sign(placement(pin, session))
        shown.append(
            PinnedProduct(
                pin.shop_id,
                pin.product_id,
                product.title,
                product.price_fen,
                product.on_shelf,
                pin.position,
                pin.note,
                pin.pinned_at,
                token,
            )
        )
    return SessionView(**msgspec.structs.asdict(session), pins=shown)


@put(
    "/live-sessions/{session_id:uuid}/pins/{shop_id:int}/{product_id:int}",
    opt={"access": Access.CREATOR, "refusals": [NotFound, Forbidden, SessionEnded, OffShelf, TooManyPins]},
)
async def pin(
    session_id: FromPath[LiveSessionId],
    shop_id: FromPath[ShopId],
    product_id: FromPath[ProductId],
    data: JSONBody[PinDraft],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> Pin:
    """Show a product in your live session, or move it and change its note."""
    item = Pinning(session_id, caller.person, shop_id, product_id, data)
    [pinned] = await database.run(lambda tx: commands.pin(tx, [item], clock.now()))
    return accepted(pinned)


@delete(
    "/live-sessions/{session_id:uuid}/pins/{shop_id:int}/{product_id:int}",
    opt={"access": Access.CREATOR, "refusals": [NotFound, Forbidden, SessionEnded]},
)
async def unpin(
    session_id: FromPath[LiveSessionId],
    shop_id: FromPath[ShopId],
    product_id: FromPath[ProductId],
    caller: Caller,
    database: Database,
    clock: Clock,
) -> None:
    """Take a product out of your live session; one that is not pinned is fine too."""
    item = Unpinning(session_id, caller.person, shop_id, product_id)
    [outcome] = await database.run(lambda tx: commands.unpin(tx, [item], clock.now()))
    accepted(outcome)


HANDLERS = [open_room, show_room, start, end, list_live, show, pin, unpin]
