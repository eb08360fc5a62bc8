"""What people ask of traffic beside the feed: where a host stands, the policy, and who is kept out."""

from __future__ import annotations

import asyncio
from datetime import date, datetime, timedelta
from uuid import UUID

from msgspec.structs import replace

from fairwind.kernel import (
    Database,
    IdReused,
    Invalid,
    NotFound,
    PersonId,
    Platform,
    Transaction,
    day_in_china,
    midnight_in_china,
)
from fairwind.traffic.commands import policies as policy_commands
from fairwind.traffic.exposure import LOG_KEPT
from fairwind.traffic.host import (
    AlreadySuspended,
    Host,
    Subject,
    Suspension,
    SuspensionDraft,
    in_force,
    no_host,
)
from fairwind.traffic.leader import Leader
from fairwind.traffic.onshow import NEW_FOR
from fairwind.traffic.policy import policy_of
from fairwind.traffic.preview import NothingSampled, preview, request_of
from fairwind.traffic.publishing import PolicyDraft, PolicyVersion
from fairwind.traffic.replay import Outlook
from fairwind.traffic.report import TrafficReport, report
from fairwind.traffic.saved import leader_restored, prices_read
from fairwind.traffic.standing import Standing, standing
from fairwind.traffic.store import hosts as host_store
from fairwind.traffic.store import policies as policy_store
from fairwind.traffic.store import pricing as pricing_store
from fairwind.traffic.store import reports as report_store
from fairwind.traffic.store import samples as sample_store
from fairwind.traffic.store import standings as store
from fairwind.traffic.store.reports import SAMPLES_READ

_DAYS_SHOWN = 30
_PREVIEWED = timedelta(days=1)
_REPORTED_FOR = timedelta(minutes=1)
_REPORTS_MAX = 40


async def day_report(tx: Transaction, day: date) -> TrafficReport:
    """How traffic was shared on a day in China, counted anew from the exposure log."""
    since, until = midnight_in_china(day), _end_of(day)
    days, sampled, version = await tx.together(
        report_store.logged(since, until, day),
        report_store.sampled(since, until),
        report_store.policy_before(until),
    )
    published = await tx.ask(policy_store.policy_version(version))
    assert published is not None
    due = until - timedelta(seconds=published.policy.stage_pace_s)
    newcomers = await tx.ask(report_store.newcomers(due - NEW_FOR, due, day))
    return await asyncio.to_thread(report, day, days, sampled, newcomers, published.policy, version)


def _end_of(day: date) -> datetime:
    return midnight_in_china(day + timedelta(days=1))


async def day_reports(database: Database) -> list[TrafficReport]:
    """How traffic was shared on each day that the exposure log has something of, the latest first."""
    async with database.transaction() as tx:
        return [await day_report(tx, day) for day in await tx.ask(report_store.days_logged())]


class Traffic:
    """Traffic, as operators and hosts see it."""

    def __init__(self, platform: Platform) -> None:
        self._database = platform.database
        self._clock = platform.clock
        self._last: tuple[datetime, int, Leader] | None = None
        self._reports: dict[date, tuple[datetime, TrafficReport]] = {}
        self._counting = asyncio.Lock()

    # Where a host stands.

    async def standing(self, subject: Subject) -> Standing:
        """Where a host stands, by what the leader last saved. Raises NotFound."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            host = await self._host(tx, subject)
            saved, priced, published, days, ended, suspensions = await tx.together(
                pricing_store.saved_state(),
                pricing_store.prices_after(-1, -1),
                policy_store.policy_in_force(),
                store.host_days(host.no, date.max, _DAYS_SHOWN),
                store.stages_ended_of(host.no),
                host_store.suspensions_of(host.no),
            )
        out = next((each for each in suspensions if in_force(each, now)), None)
        at, leader = now, Leader(published.policy, host.no + 1, now.timestamp())
        if saved is not None:
            at, body = saved
            if self._last is None or self._last[:2] != (at, published.version):
                self._last = at, published.version, leader_restored(published.policy, body, 0)
            leader = self._last[2]
            if host.no >= len(leader.active):
                leader = Leader.restored(published.policy, leader.arrays(), host.no + 1)
        if priced is not None and host.no < (prices := prices_read(priced.body)).hosts:
            leader.snapshot = prices
        return standing(leader, host, published.policy, out, days, ended, at)

    async def _host(self, tx: Transaction, subject: Subject) -> Host:
        host = await tx.ask(host_store.host_of(subject))
        if host is None:
            raise no_host(subject)
        return host

    # How traffic was shared.

    async def report(self, day: date | None) -> TrafficReport:
        """How traffic was shared on a day in China, or today so far, at most a minute ago. Raises NotFound.

        Everybody may ask, so the log is counted once for all who do.
        """
        now = self._clock.now()
        day = day or day_in_china(now)
        async with self._counting:
            there = self._reports.get(day)
            if there is None or now - there[0] >= _REPORTED_FOR:
                async with self._database.transaction() as tx:
                    logged = await tx.ask(report_store.is_logged(midnight_in_china(day), _end_of(day)))
                    if not logged and day != day_in_china(now):
                        raise NotFound(f"the exposure log has nothing of {day}; it is kept for {LOG_KEPT.days} days")
                    there = now, await day_report(tx, day)
                if len(self._reports) >= _REPORTS_MAX:
                    self._reports.clear()
                self._reports[day] = there
            return there[1]

    # The policy.

    async def policy(self) -> PolicyVersion:
        """The policy in force."""
        async with self._database.transaction() as tx:
            return (await tx.ask(policy_store.policy_in_force())).view()

    async def policies(self, before: int, limit: int) -> list[PolicyVersion]:
        """Versions before `before`, the latest first."""
        async with self._database.transaction() as tx:
            return [each.view() for each in await tx.ask(policy_store.policies(before, limit))]

    async def preview(self, draft: PolicyDraft) -> Outlook:
        """What the last day would have looked like under a policy. Raises Invalid, NothingSampled."""
        policy, now = policy_of(draft.settings), self._clock.now()
        async with self._database.transaction() as tx:
            kept = await tx.ask(sample_store.samples_since(now - _PREVIEWED, SAMPLES_READ))
        if not kept:
            raise NothingSampled("no request of the last day was kept; let viewers use the feed for a while first")
        return await asyncio.to_thread(preview, policy, [request_of(row.body, row.clicked) for row in reversed(kept)])

    async def publish(self, request_id: UUID, draft: PolicyDraft, person_id: PersonId) -> PolicyVersion:
        """Publish a policy; it is in force when this answers, and served by within seconds."""
        now = self._clock.now()
        published = await self._database.run(lambda tx: policy_commands.publish(tx, request_id, draft, person_id, now))
        return published.view()

    async def go_back(self, request_id: UUID, version: int, person_id: PersonId) -> PolicyVersion:
        """Publish what an earlier version said."""
        now = self._clock.now()
        published = await self._database.run(
            lambda tx: policy_commands.go_back(tx, request_id, version, person_id, now)
        )
        return published.view()

    # Keeping out.

    async def suspend(
        self,
        subject: Subject,
        id: UUID,  # noqa: A002
        draft: SuspensionDraft,
        person_id: PersonId,
    ) -> Suspension:
        """Keep a host out of the feed at once. The same again answers the suspension. Refusals: AlreadySuspended."""
        now = self._clock.now()

        async def work(tx: Transaction) -> Suspension:
            host = await self._host(tx, subject)
            _, same, there = await tx.together(
                host_store.host_locked(host.no), host_store.suspension_locked(id), host_store.suspensions_of(host.no)
            )
            if same is not None:
                asked = (host.kind, host.subject_id, draft.reason, draft.until)
                if (same.kind, same.subject_id, same.reason, same.until) != asked:
                    raise IdReused(f"suspension {id} was made with other content; make a new id")
                return same  # type: ignore[no-any-return]
            if draft.until is not None and draft.until <= now:
                raise Invalid("until lies in the past; leave it out for as long as it is not lifted", field="until")
            if any(in_force(each, now) for each in there):
                raise AlreadySuspended("the host is kept out already; lift that suspension first")
            # Another server's clock may be ahead of this one's.
            since = max([now, *(each.lifted_at for each in there if each.lifted_at is not None)])
            suspension = Suspension(id, host.kind, host.subject_id, draft.reason, person_id, since, draft.until)
            await tx.ask(host_store.suspension_saved(suspension, host.no))
            return suspension

        return await self._database.run(work)

    async def lift(self, id: UUID, person_id: PersonId) -> Suspension:  # noqa: A002
        """Let a host be shown again; lifting once more changes nothing. Raises NotFound."""
        now = self._clock.now()

        async def work(tx: Transaction) -> Suspension:
            suspension = await tx.ask(host_store.suspension_locked(id))
            if suspension is None:
                raise NotFound(f"there is no suspension {id}")
            if suspension.lifted_at is not None:
                return suspension
            host = await self._host(tx, Subject(suspension.kind, suspension.subject_id))
            lifted = replace(suspension, lifted_by=person_id, lifted_at=max(now, suspension.suspended_at))
            await tx.ask(host_store.suspension_saved(lifted, host.no))
            return lifted

        return await self._database.run(work)
