"""Publishing support programmes and ending them."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from fairwind.kernel import IdReused, NotFound, PersonId, Transaction, next_ids
from fairwind.policy.moments import begins
from fairwind.policy.programme import Programme
from fairwind.policy.programme_draft import ProgrammeDraft, end_of, refusal, same
from fairwind.policy.store import programmes as store
from fairwind.policy.store.categories import known_categories


async def publish_programme(tx: Transaction, person_id: PersonId, draft: ProgrammeDraft, now: datetime) -> Programme:
    """Publish a programme, or the next version of its code; the same draft again answers the same programme.

    Raises IdReused for another draft with the same id, and what `refusal` and `begins` refuse.
    """
    there = await tx.ask(store.programme_asked_for(draft.id))
    if there:
        if not same(draft, there[0]):
            raise IdReused(f"programme request {draft.id} was made before with other content; make a new id")
        return there[0]
    versions = await tx.ask(store.versions_locked(draft.code))
    known = await known_categories(tx, set(draft.categories))
    starts_at = begins(draft.starts_at, now)
    if refused := refusal(draft, starts_at, known, versions):
        raise refused
    programme = Programme(
        id=(await next_ids(tx, 1))[0],
        code=draft.code,
        version=len(versions) + 1,
        name_en=draft.name_en,
        name_zh=draft.name_zh,
        rate_ppm=draft.rate_ppm,
        channels=tuple(sorted(set(draft.channels))),
        categories=tuple(sorted(set(draft.categories))),
        conditions=draft.conditions,
        starts_at=starts_at,
        ends_at=draft.ends_at,
        published_at=now,
    )
    await store.insert_programme(tx, programme, draft.id, person_id)
    return programme


async def end_programme(
    tx: Transaction, person_id: PersonId, programme_id: int, asked: datetime | None, now: datetime
) -> Programme:
    """Bring a programme's end forward, to the time that is asked for or as soon as may be.

    Raises NotFound, and what `end_of` refuses.
    """
    found = await tx.ask(store.programme_locked(programme_id))
    if not found:
        raise NotFound(f"there is no support programme {programme_id}")
    [programme] = found
    ends_at = end_of(programme, asked, now)
    if ends_at != programme.ends_at:
        await store.end_programme(tx, programme_id, ends_at, person_id)
    return replace(programme, ends_at=ends_at)
