"""Opening rooms, going live, pinning goods: each loads what a batch needs, decides, saves the outcome once.

Locks are taken in one order: rooms by id, sessions by id.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from fairwind.catalog import Listing, listings
from fairwind.content import store
from fairwind.content.session import (
    PINS_MAX,
    AlreadyLive,
    LiveSession,
    NoRoom,
    OffShelf,
    Pin,
    PinDraft,
    Room,
    RoomId,
    State,
    TooManyPins,
    end,
    refusal,
)
from fairwind.kernel import (
    Forbidden,
    IdReused,
    LiveSessionId,
    NotFound,
    PersonId,
    ProductId,
    Refused,
    ShopId,
    Transaction,
    next_ids,
)

Shown = tuple[ShopId, ProductId]


class Opening(msgspec.Struct, frozen=True):
    """Who calls their room what."""

    host_id: PersonId
    title: str


class Starting(msgspec.Struct, frozen=True):
    """Who goes live under which id."""

    id: LiveSessionId
    host_id: PersonId
    title: str


class Ending(msgspec.Struct, frozen=True):
    """Who ends which session."""

    session_id: LiveSessionId
    person_id: PersonId


class Pinning(msgspec.Struct, frozen=True):
    """Who shows which product in which session, where and with what words."""

    session_id: LiveSessionId
    person_id: PersonId
    shop_id: ShopId
    product_id: ProductId
    draft: PinDraft


class Unpinning(msgspec.Struct, frozen=True):
    """Who takes which product out of which session."""

    session_id: LiveSessionId
    person_id: PersonId
    shop_id: ShopId
    product_id: ProductId


async def open_rooms(tx: Transaction, items: Sequence[Opening], now: datetime) -> list[Room]:
    """Each creator's room, made or with its new title; of two titles for one room the later stays."""
    titles = {item.host_id: item.title for item in items}
    ids = [RoomId(n) for n in await next_ids(tx, len(titles))]
    rooms = await store.save_rooms(tx, ids, titles, now)
    return [rooms[item.host_id] for item in items]


async def start(tx: Transaction, items: Sequence[Starting], now: datetime) -> list[LiveSession | Refused]:
    """Go live. The id is the idempotency key: the same again answers the session as it stands."""
    hosts = {item.host_id for item in items}
    rooms, live, known = await tx.together(
        store.rooms_locked(hosts), store.live_of(hosts), store.sessions([item.id for item in items])
    )
    fresh: list[LiveSession] = []
    outcomes: list[LiveSession | Refused] = []
    for item in items:
        there = known.get(item.id)
        room = rooms.get(item.host_id)
        if there is not None:
            same = (there.host_id, there.title) == (item.host_id, item.title)
            outcomes.append(there if same else IdReused(f"live session {item.id} was started with other content"))
        elif room is None:
            outcomes.append(NoRoom("you have no room yet; open it first: PUT /rooms/mine"))
        elif room.id in live:
            outcomes.append(
                AlreadyLive("your room is live already; end that session first", session_id=str(live[room.id]))
            )
        else:
            session = LiveSession(item.id, room.id, item.host_id, item.title, State.LIVE, now)
            known[session.id], live[room.id] = session, session.id
            fresh.append(session)
            outcomes.append(session)
    if fresh:
        await tx.ask(store.sessions_added(fresh))
    return outcomes


async def finish(tx: Transaction, items: Sequence[Ending], now: datetime) -> list[LiveSession | Refused]:
    """End live sessions; ending one again changes nothing."""
    sessions = await tx.ask(store.sessions_locked([item.session_id for item in items]))
    ended: dict[LiveSessionId, LiveSession] = {}
    outcomes: list[LiveSession | Refused] = []
    for item in items:
        session = sessions.get(item.session_id)
        if session is None:
            outcomes.append(no_session(item.session_id))
        elif session.host_id != item.person_id:
            outcomes.append(Forbidden("only the host of a live session ends it"))
        else:
            sessions[session.id] = ended[session.id] = end(session, now)
            outcomes.append(ended[session.id])
    if ended:
        await tx.ask(store.sessions_ended(ended.values()))
    return outcomes


async def pin(tx: Transaction, items: Sequence[Pinning], now: datetime) -> list[Pin | Refused]:
    """Show products, or move those shown already; a product has to be on the shelf."""
    ids = [item.session_id for item in items]
    sessions, pins = await tx.together(store.sessions_locked(ids), store.pins(ids))
    shown = {session: {(a.shop_id, a.product_id): a for a in pinned} for session, pinned in pins.items()}
    on_offer = await products(tx, [(item.shop_id, item.product_id) for item in items])
    saved: dict[tuple[LiveSessionId, Shown], Pin] = {}
    outcomes: list[Pin | Refused] = []
    for item in items:
        key = (item.shop_id, item.product_id)
        no = _refusal_to_pin(item, sessions.get(item.session_id), shown[item.session_id], on_offer.get(key))
        if no is not None:
            outcomes.append(no)
            continue
        there = shown[item.session_id].get(key)
        pinned_at = there.pinned_at if there else max(now, sessions[item.session_id].started_at)
        pinned = Pin(item.session_id, *key, item.draft.position, item.draft.note, pinned_at)
        shown[item.session_id][key] = saved[item.session_id, key] = pinned
        outcomes.append(pinned)
    if saved:
        await tx.ask(store.pins_saved(saved.values()))
    return outcomes


def _refusal_to_pin(
    item: Pinning, session: LiveSession | None, shown: Collection[Shown], product: Listing | None
) -> Refused | None:
    if session is None:
        return no_session(item.session_id)
    if no := refusal(session, item.person_id):
        return no
    if product is None:
        return NotFound(f"shop {item.shop_id} has no product {item.product_id}")
    if not product.on_shelf:
        return OffShelf("the product is off the shelf; its shop can put it back")
    if (item.shop_id, item.product_id) not in shown and len(shown) >= PINS_MAX:
        return TooManyPins(f"the session shows {PINS_MAX} products; unpin one first")
    return None


async def unpin(tx: Transaction, items: Sequence[Unpinning], now: datetime) -> list[Refused | None]:
    """Take products out of sessions; one that is not pinned is fine too."""
    sessions = await tx.ask(store.sessions_locked([item.session_id for item in items]))
    removed: list[tuple[LiveSessionId, ShopId, ProductId]] = []
    outcomes: list[Refused | None] = []
    for item in items:
        session = sessions.get(item.session_id)
        no = refusal(session, item.person_id) if session else no_session(item.session_id)
        outcomes.append(no)
        if no is None:
            removed.append((item.session_id, item.shop_id, item.product_id))
    if removed:
        await tx.ask(store.pins_removed(removed, now))
    return outcomes


async def products(tx: Transaction, keys: Collection[Shown]) -> dict[Shown, Listing]:
    """What the catalog says of these products; one that is not there is absent."""
    by_shop: dict[ShopId, list[ProductId]] = {}
    for shop_id, product_id in sorted(set(keys)):
        by_shop.setdefault(shop_id, []).append(product_id)
    answers = await tx.together(*(listings(shop_id, ids) for shop_id, ids in by_shop.items()))
    found = zip(by_shop, answers, strict=True)
    return {(shop_id, product.product_id): product for shop_id, answer in found for product in answer.values()}


def no_session(session_id: LiveSessionId) -> NotFound:
    return NotFound(f"there is no live session {session_id}")
