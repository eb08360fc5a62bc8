"""Publishing fee schedules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from fairwind.kernel import IdReused, NotFound, PersonId, Transaction, next_ids
from fairwind.policy.moments import begins
from fairwind.policy.schedule import Schedule, ScheduleDraft, refusal, same, timeline
from fairwind.policy.store import schedules as store
from fairwind.policy.store.categories import known_categories


async def publish_schedule(tx: Transaction, person_id: PersonId, draft: ScheduleDraft, now: datetime) -> Schedule:
    """Publish a schedule; the same draft again answers the same schedule.

    Raises IdReused for another draft with the same id, and what `refusal` and `begins` refuse.
    """
    there = await tx.ask(store.schedule_asked_for(draft.id))
    if there:
        [schedule] = await with_rules(tx, there)
        if not same(draft, schedule):
            raise IdReused(f"schedule request {draft.id} was made before with other content; make a new id")
        return schedule
    known = await known_categories(tx, {rate.category_id for rate in draft.rates if rate.category_id is not None})
    if refused := refusal(draft, known):
        raise refused
    schedule = Schedule(await store.next_version(tx), begins(draft.starts_at, now), draft.note, now)
    rates = list(zip(await next_ids(tx, len(draft.rates)), draft.rates, strict=True))
    await store.insert_schedule(tx, schedule, draft.id, person_id, rates)
    return (await with_rules(tx, [schedule]))[0]


async def schedule_of(tx: Transaction, version: int) -> Schedule:
    """A schedule with its rules; raises NotFound."""
    found = await tx.ask(store.schedules([version]))
    if not found:
        raise NotFound(f"there is no fee schedule {version}")
    return (await with_rules(tx, found))[0]


async def schedules_from(tx: Transaction, now: datetime) -> list[Schedule]:
    """The schedule in force and those to come, with their rules, in the order in which they begin."""
    published = await tx.ask(store.schedules_from(now))
    return await with_rules(tx, timeline(published, now))


async def with_rules(tx: Transaction, schedules: Sequence[Schedule]) -> list[Schedule]:
    """Schedules with their rules."""
    rules = await tx.ask(store.rules_of([schedule.version for schedule in schedules]))
    return [replace(schedule, rules=rules[schedule.version]) for schedule in schedules]
