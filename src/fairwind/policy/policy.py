"""Service fees and support programmes as the rest of the platform meets them: changes by operators, and reads."""

from __future__ import annotations

from datetime import datetime

from fairwind.kernel import (
    CategoryId,
    Fen,
    NotFound,
    PersonId,
    Platform,
    Ppm,
    ShopId,
    Transaction,
    day_in_china,
    isolated,
)
from fairwind.policy.commands import facts, programmes, schedules, windows
from fairwind.policy.comparison import Comparison, compare
from fairwind.policy.enrolment import Enrolment
from fairwind.policy.moments import checked
from fairwind.policy.programme import Programme
from fairwind.policy.programme_draft import ProgrammeDraft
from fairwind.policy.quote import NO_PLACE, Place, Quote, quote
from fairwind.policy.schedule import Schedule, ScheduleDraft
from fairwind.policy.standing import ShopSupport, standings
from fairwind.policy.store import facts as fact_store
from fairwind.policy.store import programmes as programme_store
from fairwind.policy.store import schedules as schedule_store
from fairwind.policy.store import windows as window_store
from fairwind.policy.store.categories import place_of
from fairwind.policy.store.terms import shop_terms
from fairwind.policy.window import Window, WindowDraft

_ROUND_MAX = 200


class Policy:
    """What the platform asks for a sale."""

    def __init__(self, platform: Platform) -> None:
        self._database = platform.database
        self._clock = platform.clock

    # Schedules

    async def publish_schedule(self, person_id: PersonId, draft: ScheduleDraft) -> Schedule:
        now = self._clock.now()
        return await self._database.run(lambda tx: schedules.publish_schedule(tx, person_id, draft, now))

    async def schedules(self) -> list[Schedule]:
        """The schedule in force and those to come, in the order in which they begin."""
        async with self._database.transaction() as tx:
            return await schedules.schedules_from(tx, self._clock.now())

    async def schedule(self, version: int) -> Schedule:
        async with self._database.transaction() as tx:
            return await schedules.schedule_of(tx, version)

    # What a sale costs

    async def quote(
        self, shop_id: ShopId, amount_fen: Fen, category_id: CategoryId | None, at: datetime | None
    ) -> Quote:
        """What a shop pays for goods of a category that are placed now, or at another time as far as that is known.

        Raises NotFound for a shop or a category that does not exist, Invalid for a time that nobody means.
        """
        at = self._clock.now() if at is None else checked(at)
        async with self._database.transaction() as tx:
            shop, terms = await tx.together(fact_store.shop_of(shop_id), shop_terms(shop_id, at))
            place = await _place(tx, category_id)
        if shop is None:
            raise NotFound(f"there is no shop {shop_id}")
        return quote(terms, amount_fen, place, at)

    async def compare(
        self, price_fen: Fen, commission_ppm: Ppm, category_id: CategoryId | None, at: datetime | None
    ) -> Comparison:
        """What a good of a category nets through each channel. Raises NotFound, Invalid."""
        at = self._clock.now() if at is None else checked(at)
        async with self._database.transaction() as tx:
            rules, offered = await tx.together(
                schedule_store.rules_in_force(at), programme_store.programmes_in_force(at)
            )
            place = await _place(tx, category_id)
        return compare(price_fen, commission_ppm, place, rules, offered, at)

    # Support programmes

    async def publish_programme(self, person_id: PersonId, draft: ProgrammeDraft) -> Programme:
        now = self._clock.now()
        return await self._database.run(lambda tx: programmes.publish_programme(tx, person_id, draft, now))

    async def end_programme(self, person_id: PersonId, programme_id: int, ends_at: datetime | None) -> Programme:
        now = self._clock.now()
        return await self._database.run(lambda tx: programmes.end_programme(tx, person_id, programme_id, ends_at, now))

    async def programmes(self, after: int, limit: int, *, ended: bool) -> list[Programme]:
        """Programmes in force and to come, and with `ended` those that are over too, by id after `after`."""
        async with self._database.transaction() as tx:
            return await tx.ask(programme_store.programmes_page(self._clock.now(), after, limit, ended=ended))

    async def support_of(self, shop_id: ShopId) -> ShopSupport:
        """How a shop stands with the programmes of its channel now. Raises NotFound."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            shop, offered, did, enrolments = await tx.together(
                fact_store.shop_of(shop_id),
                programme_store.programmes_in_force(now),
                fact_store.facts_of(shop_id, day_in_china(now)),
                fact_store.enrolments_from(shop_id, now),
            )
        if shop is None:
            raise NotFound(f"there is no shop {shop_id}")
        channel, opened_on = shop
        return ShopSupport(now, standings(offered, channel, opened_on, did, enrolments, now))

    async def enrolments(self, shop_id: ShopId, before: tuple[datetime, int], limit: int) -> list[Enrolment]:
        """What a shop has earned, the latest first, before a start and a programme."""
        async with self._database.transaction() as tx:
            return await tx.ask(fact_store.enrolments_page(shop_id, before, limit))

    async def assess_shops(self) -> int:
        """Look at the shops that are due; answers how many. One that fails is due again and holds up no other."""
        now = self._clock.now()
        async with self._database.transaction() as tx:
            due = await fact_store.shops_due(tx, now, _ROUND_MAX)
        for shop_id in due:
            async with isolated("assessment_failed", shop_id=shop_id):
                await self._assess(shop_id, now)
        return len(due)

    async def _assess(self, shop_id: ShopId, now: datetime) -> None:
        await self._database.run(lambda tx: facts.assess(tx, shop_id, now))

    # After-sales windows

    async def set_window(self, person_id: PersonId, category_id: CategoryId, draft: WindowDraft) -> Window:
        now = self._clock.now()
        return await self._database.run(lambda tx: windows.set_window(tx, person_id, category_id, draft, now))

    async def windows(self, after: tuple[CategoryId, int], limit: int) -> list[Window]:
        """For each category what is in force and what was set since, by category and version after `after`."""
        async with self._database.transaction() as tx:
            return await tx.ask(window_store.windows_page(self._clock.now(), after, limit))


async def _place(tx: Transaction, category_id: CategoryId | None) -> Place:
    if category_id is None:
        return NO_PLACE
    place = await tx.ask(place_of(category_id))
    if place is None:
        raise NotFound(f"there is no category {category_id}")
    return place
