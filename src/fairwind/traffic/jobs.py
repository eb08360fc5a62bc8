"""Making prices: one server at a time leads, adds up what all of them counted, and publishes; the others follow.

What the leader has added up but not saved waits in the database as deltas, so that whoever takes over goes on with the
last saved state and all that waits, and nothing is lost or counted twice. A server that loses the lead notices when it
publishes: its prices are not taken.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import numpy as np
import structlog

from fairwind.kernel import Platform, Query, Transaction
from fairwind.traffic.host import Host
from fairwind.traffic.leader import Leader, StageEnd
from fairwind.traffic.onshow import NEW_FOR
from fairwind.traffic.prices import PriceSnapshot
from fairwind.traffic.publishing import Published
from fairwind.traffic.saved import leader_restored, leader_saved, prices_read, prices_saved
from fairwind.traffic.serving import Serving
from fairwind.traffic.store import hosts as host_store
from fairwind.traffic.store import policies as policy_store
from fairwind.traffic.store import pricing as store
from fairwind.traffic.store.pricing import Priced

log = structlog.get_logger(__name__)

LEASE_S = 3.0
"""So long after its last turn a leader that died keeps others from the lead."""
SAVE_EVERY = timedelta(seconds=10)
_MERGED_MAX = 500
"""Deltas that are merged in a turn: a backlog must not outlast the lease."""


class Leading:
    """This server's part in making prices; `turn` is called about every second."""

    def __init__(self, platform: Platform, serving: Serving) -> None:
        self._database = platform.database
        self._clock = platform.clock
        self._serving = serving
        self._me = uuid4()
        self._term = -1
        self._leader: Leader | None = None
        self._policy_version = 0
        self._merged: set[UUID] = set()
        self._made_at: datetime | None = None
        self._saved_at: datetime | None = None

    @property
    def leads(self) -> bool:
        return self._leader is not None

    async def turn(self) -> None:
        """Lead when nobody else does, and serve by the newest prices."""
        term = None
        if self._serving.knows_who_shows:  # prices for nobody would be worse than old ones
            term = await self._database.run(lambda tx: tx.ask(store.leadership(self._me, LEASE_S)))
        if term is None:
            self._leader = None
            await self._follow()
            return
        try:
            if self._leader is None or term != self._term:
                await self._take_over(term)
            await self._lead()
        except BaseException:
            self._leader = None  # what was saved and what waits is exact; what is in memory may be half done
            raise

    async def give_up(self) -> None:
        """Let another server lead at once; for an orderly end."""
        if self._leader is not None:
            await self._database.run(lambda tx: tx.ask(store.leadership_over(self._me)))

    async def _follow(self) -> None:
        async with self._database.transaction() as tx:
            priced, published = await tx.together(
                store.prices_after(self._serving.price_version, self._serving.term), policy_store.policy_in_force()
            )
        if priced is not None:
            snapshot = await asyncio.to_thread(prices_read, priced.body)
            self._serving.serve_by(published, snapshot, priced.term)

    async def _take_over(self, term: int) -> None:
        """Go on where the last leader stopped."""
        async with self._database.transaction() as tx:
            saved, priced, published = await tx.together(
                store.saved_state(), store.prices_after(-1, -1), policy_store.policy_in_force()
            )
        now_s = self._clock.now().timestamp()
        if saved is None:
            leader = Leader(published.policy, 0, now_s)
        else:
            # Hosts that came since are not in it: they join as newcomers.
            leader = await asyncio.to_thread(leader_restored, published.policy, saved[1], 0)
        if priced is not None:
            leader.snapshot = leader.snapshot._replace(version=max(leader.snapshot.version, priced.version))
        self._leader, self._term, self._policy_version = leader, term, published.version
        self._merged, self._made_at, self._saved_at = set(), None, None
        log.info("traffic_lead_taken", term=term, hosts=len(leader.active))

    def _due(self, published: Published, now: datetime) -> bool:
        """Whether prices are to be made: at once after taking over and for a new policy, and each refresh_s."""
        pause = timedelta(seconds=published.policy.refresh_s)
        return self._made_at is None or published.version != self._policy_version or now - self._made_at >= pause

    async def _lead(self) -> None:
        """Merge what all servers counted, and make prices and save what is known when it is time."""
        assert self._leader is not None
        async with self._database.transaction() as tx:
            published, waiting, hosts = await tx.together(
                policy_store.policy_in_force(), store.deltas(self._merged, _MERGED_MAX), host_store.hosts()
            )
        now = self._clock.now()
        due = self._due(published, now)
        leader = self._grown(self._leader, published, hosts, now)
        leader.active[:] = self._serving.active(len(hosts))
        for sent in waiting:
            leader.add(sent.counts, now.timestamp())
            self._merged.add(sent.id)
        snapshot: PriceSnapshot | None = None
        ended: list[StageEnd] = []
        if due:
            self._made_at = now
            snapshot, ended = leader.refresh(now.timestamp())
        if not await self._published(leader, snapshot, ended, now):
            self._leader = None
        elif snapshot is not None:
            self._serving.serve_by(published, snapshot, self._term)

    def _grown(self, leader: Leader, published: Published, hosts: list[Host], now: datetime) -> Leader:
        """The leader under the policy in force and with all hosts there are."""
        known = len(leader.active)
        if published.version == self._policy_version and len(hosts) == known:
            return leader
        leader = Leader.restored(published.policy, leader.arrays(), len(hosts))
        joining = [host.no for host in hosts[known:] if now - host.entered_at < NEW_FOR]
        if joining and published.policy.stage_impressions:
            leader.join(np.array(joining, np.int32), now.timestamp())
        self._leader, self._policy_version = leader, published.version
        return leader

    async def _published(
        self, leader: Leader, snapshot: PriceSnapshot | None, ended: list[StageEnd], now: datetime
    ) -> bool:
        """Whether this server still leads. Publishes prices where there are new ones, and saves when it is time."""
        save = self._saved_at is None or now - self._saved_at >= SAVE_EVERY
        merged = set(self._merged)
        queries: list[Query[None]] = []
        if snapshot is not None:
            body = await asyncio.to_thread(prices_saved, snapshot)
            queries.append(store.prices_published(Priced(snapshot.version, self._term, now, body)))
        if ended:
            queries.append(store.stages_ended(ended, now))
        if save or ended:  # a stage that ended must not end again after a change of leader
            state = await asyncio.to_thread(leader_saved, leader)
            queries += [store.state_saved(state, now), store.deltas_merged(merged)]
        if not queries:
            return True

        async def work(tx: Transaction) -> bool:
            if not await tx.ask(store.leads(self._me, self._term)):
                return False
            await tx.together(*queries)
            return True

        if not await self._database.run(work):
            log.warning("traffic_lead_lost", term=self._term)
            return False
        if save or ended:
            self._merged -= merged
            self._saved_at = now
        return True
