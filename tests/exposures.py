"""Hosts in a feed, and viewers who saw some of it, without the requests it came from: for the tests of traffic."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from fairwind.kernel import Database, PersonId, Refused
from fairwind.traffic import Why
from fairwind.traffic.commands.exposures import Report, take_in
from fairwind.traffic.exposure import Bounds, Exposure, Told
from fairwind.traffic.host import HostKind, Newcomer, Subject
from fairwind.traffic.showing import Item, ItemKind, Showing
from fairwind.traffic.store.hosts import add_hosts
from market import NOW

LOOSE = Bounds(1000, 1000)


async def hosts_added(database: Database, count: int, since: datetime = NOW - timedelta(days=90)) -> None:
    """Creators 1 … count, numbered from 0 where there are none."""
    newcomers = [Newcomer(Subject(HostKind.CREATOR, number), since) for number in range(1, count + 1)]
    await database.run(lambda tx: add_hosts(tx, newcomers))


def showing(
    host_no: int = 0,
    *,
    slot: int = 0,
    viewer: int = 1,
    item: Item | None = None,
    why: Why = Why.UTILITY,
    feed_id: UUID | None = None,
    served_at: datetime = NOW,
) -> Showing:
    """A host's live session in a slot of a feed of its own."""
    item = item or Item(ItemKind.LIVE, UUID(int=host_no + 1))
    return Showing(feed_id or uuid4(), slot, 8, item, host_no, viewer, why, 0.25, 1, 1, served_at)


async def seen(
    database: Database,
    *told: Told | Refused,
    now: datetime = NOW + timedelta(seconds=5),
    person_id: PersonId | None = None,
    bounds: Bounds = LOOSE,
    category_id: int | None = None,
) -> Sequence[Exposure | Refused]:
    """What a viewer tells of, in one report."""
    viewer = next((each.showing.viewer for each in told if isinstance(each, Told)), 0)
    report = Report(told, person_id, viewer)
    [outcome] = await database.run(lambda tx: take_in(tx, [report], bounds, lambda _: category_id, now))
    return outcome
