"""Tokens of what was shown, cursors of a feed, and what of exposures counts; without a database."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fairwind.kernel import ProductId, Refused, ShopId, day_in_china
from fairwind.kernel.pages import BadCursor
from fairwind.traffic import Count, Why, merged
from fairwind.traffic import cursor as cursors
from fairwind.traffic.counts import IMPRESSIONS
from fairwind.traffic.cursor import FeedCursor
from fairwind.traffic.exposure import (
    SEEN_WITHIN,
    WATCH_COUNTED_MS,
    Bounds,
    Exposure,
    Outcome,
    TokenExpired,
    TokenInvalid,
    Told,
    ViewerLimit,
    decide,
)
from fairwind.traffic.showing import Item, ItemKind, Showing, product_item, product_of, read, sign

KEY, OTHER = b"k" * 32, b"o" * 32
NOW = datetime(2020, 6, 18, 12, tzinfo=UTC)
LOOSE = Bounds(10**6, 10**6)

showings = st.builds(
    Showing,
    st.uuids(),
    st.integers(0, 49),
    st.just(50),
    st.builds(Item, st.sampled_from(ItemKind), st.uuids()),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**63 - 1),
    st.sampled_from(Why),
    st.floats(0, 1, width=32),
    st.integers(1, 2**31 - 1),
    st.integers(0, 2**62),
    st.integers(0, 10**6).map(lambda seconds: NOW + timedelta(seconds=seconds)),
)


def shown(slot: int = 0, host: int = 0, viewer: int = 1, served_at: datetime = NOW, why: Why = Why.UTILITY) -> Showing:
    """A slot; a feed of its own for each host and viewer."""
    item = Item(ItemKind.LIVE, UUID(int=host))
    return Showing(UUID(int=viewer * 1000 + host), slot, 50, item, host, viewer, why, 0.5, 1, 1, served_at)


class TestTokens:
    @given(showings)
    def test_a_token_says_what_was_signed(self, showing: Showing) -> None:
        assert read(sign(showing, KEY), KEY) == showing

    @given(showings, st.data())
    def test_no_other_text_is_a_token(self, showing: Showing, data: st.DataObject) -> None:
        token = sign(showing, KEY)
        place = data.draw(st.integers(0, len(token) - 1))
        other = data.draw(st.characters().filter(lambda letter: letter != token[place]))
        assert read(token[:place] + other + token[place + 1 :], KEY) is None
        assert read(token, OTHER) is None
        assert read(token[:-4], KEY) is None
        assert read(token + "AAAA", KEY) is None
        assert read("é" * len(token), KEY) is None

    @given(showings)
    def test_a_token_fits_into_the_address_bar_and_into_what_is_told(self, showing: Showing) -> None:
        assert re.fullmatch("[A-Za-z0-9_-]{1,200}", sign(showing, KEY))

    @given(st.text(max_size=200))
    def test_whatever_is_handed_in_is_told_apart_without_a_failure(self, text: str) -> None:
        assert read(text, KEY) is None

    @given(st.integers(1, 2**63 - 1), st.integers(1, 2**63 - 1))
    def test_a_product_s_item_is_the_product(self, shop_id: int, product_id: int) -> None:
        item = product_item(ShopId(shop_id), ProductId(product_id))
        assert product_of(item) == (shop_id, product_id)


class TestCursors:
    @given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=cursors.ITEMS_MAX))
    def test_a_cursor_remembers_what_was_shown(self, codes: list[int]) -> None:
        assert list(cursors.read(cursors.written(codes))) == codes

    @pytest.mark.parametrize("cursor", ["", "A", "AAAAA", "!!!!", cursors.written([1] * (cursors.ITEMS_MAX + 1)), "é"])
    def test_what_no_feed_gave_out_is_refused(self, cursor: str) -> None:
        with pytest.raises(BadCursor):
            cursors.read(cursor)

    @given(st.text(max_size=2200))
    def test_whatever_is_handed_in_is_a_cursor_or_refused(self, text: str) -> None:
        try:
            codes = cursors.read(text)
        except BadCursor:
            return
        assert 0 < len(codes) <= cursors.ITEMS_MAX
        assert cursors.read(cursors.written(codes)) == codes

    def test_the_longest_cursor_is_not_longer_than_one_may_be(self) -> None:
        [longest] = [each.max_length for each in FeedCursor.__metadata__]
        assert len(cursors.written([2**32 - 1] * cursors.ITEMS_MAX)) <= longest

    def test_the_first_page_has_none(self) -> None:
        assert cursors.read(None) == ()


tellings = st.lists(
    st.builds(
        Told,
        st.builds(
            shown,
            slot=st.integers(0, 3),
            host=st.integers(0, 2),
            viewer=st.integers(1, 3),
            why=st.just(Why.FLOOR),
        ),
        st.booleans(),
        st.integers(0, 10_000),
    ),
    max_size=30,
)
groupings = st.lists(st.integers(1, 8), min_size=1, max_size=30)


def told_in_groups(tellings: list[Told], sizes: list[int], bounds: Bounds) -> list[Outcome]:
    """Outcomes of telling in batches of these sizes, each with what those before left."""
    known: dict[tuple[UUID, int], Exposure] = {}
    outcomes, start = [], 0
    for size in [*sizes, len(tellings)]:
        times = Counter((each.showing.viewer, each.showing.host_no) for each in known.values())
        batch = tellings[start : start + size]
        keys = {(each.showing.feed_id, each.showing.slot) for each in batch}
        there = {key: known[key] for key in keys & known.keys()}
        outcome = decide(batch, there, times, bounds, NOW + timedelta(seconds=5))
        known |= outcome.changed
        outcomes.append(outcome)
        start += size
    return outcomes


def various(slot: int, host: int, viewer: int) -> Showing:
    """A slot whose age, reason and utility are its own, however often it is told of."""
    showing = shown(slot, host, viewer, NOW - timedelta(minutes=slot * 7), Why(slot % 4))
    return replace(showing, utility=(slot * 7 + host * 3 + viewer) / 32 + 1e-7)


varied = st.lists(
    st.builds(
        Told,
        st.builds(various, st.integers(0, 3), st.integers(0, 2), st.integers(1, 3)),
        st.booleans(),
        st.integers(0, 10_000_000),
    ),
    max_size=30,
)


def recounted(outcomes: list[Outcome]) -> tuple[Any, Any, Any]:
    """The sums of all that these add: to hosts' days, to items and to the counts that prices are made from."""
    hosts: dict[tuple[int, date], list[int]] = {}
    items: dict[tuple[Item, int], list[int]] = {}
    for outcome in outcomes:
        for sums, added, width in ((hosts, outcome.by_host(), 6), (items, outcome.by_item(), 3)):
            for key, counts in added.items():  # type: ignore[attr-defined]
                mine = sums.setdefault(key, [0] * width)  # type: ignore[attr-defined]
                mine[:] = [before + count for before, count in zip(mine, counts, strict=True)]
    counts = merged(*(outcome.by_count() for outcome in outcomes))
    return hosts, items, dict(zip(counts.hosts.tolist(), counts.counts.tolist(), strict=True))


class TestCounting:
    @given(tellings, groupings)
    def test_a_slot_counts_once_in_whatever_order_and_grouping_it_is_told_of(
        self, tellings: list[Told], sizes: list[int]
    ) -> None:
        outcomes = told_in_groups(tellings, sizes, LOOSE)
        slots = {(each.showing.feed_id, each.showing.slot): each.showing for each in tellings}
        clicked = {(each.showing.feed_id, each.showing.slot) for each in tellings if each.clicked}
        added = [each for outcome in outcomes for each in outcome.added()]
        assert sum(impressions for _, impressions, _, _ in added) == len(slots)
        assert sum(clicks for _, _, clicks, _ in added) == len(clicked)
        watched: dict[tuple[UUID, int], int] = {}
        for each in tellings:
            key = each.showing.feed_id, each.showing.slot
            watched[key] = max(watched.get(key, 0), min(each.watch_ms, 5000))
        assert sum(watch_ms for *_, watch_ms in added) == sum(watched.values())

    @given(tellings, groupings)
    def test_hosts_items_and_counts_for_prices_have_the_same_sums(self, tellings: list[Told], sizes: list[int]) -> None:
        outcomes = told_in_groups(tellings, sizes, LOOSE)
        of_hosts = Counter[int]()
        of_items = Counter[int]()
        for outcome in outcomes:
            for (host, _), count in outcome.by_host().items():
                assert count.impressions == count.by_floor
                of_hosts[host] += count.impressions
            for (_, host), item in outcome.by_item().items():
                of_items[host] += item.impressions
        counts = merged(*(outcome.by_count() for outcome in outcomes))
        of_prices = dict(zip(counts.hosts.tolist(), counts.counts[:, IMPRESSIONS].sum(axis=1).tolist(), strict=True))
        assert +of_hosts == +of_items == +Counter(of_prices)
        assert np.array_equal(
            counts.counts[:, Count.UTILITY_MICRO], counts.counts[:, IMPRESSIONS].sum(axis=1) * 500_000
        )

    @given(tellings, groupings, st.integers(1, 6), st.integers(1, 3))
    def test_no_viewer_counts_more_often_than_bound(
        self, tellings: list[Told], sizes: list[int], of_viewer: int, of_host: int
    ) -> None:
        outcomes = told_in_groups(tellings, sizes, Bounds(of_viewer, of_host))
        new = [showing for outcome in outcomes for showing, impressions, _, _ in outcome.added() if impressions]
        assert max(Counter(each.viewer for each in new).values(), default=0) <= of_viewer
        assert max(Counter((each.viewer, each.host_no) for each in new).values(), default=0) <= of_host
        refused = [each for outcome in outcomes for each in outcome.answers if isinstance(each, Refused)]
        assert all(isinstance(each, ViewerLimit) for each in refused)

    @given(tellings, groupings)
    def test_telling_all_of_it_again_in_another_order_adds_nothing(
        self, tellings: list[Told], sizes: list[int]
    ) -> None:
        once = told_in_groups(tellings, sizes, LOOSE)
        again = told_in_groups([*tellings, *reversed(tellings)], sizes, LOOSE)
        assert recounted(once) == recounted(again)

    @given(varied, groupings, st.lists(st.integers(0, 7_200_000), min_size=1, max_size=8))
    def test_what_a_viewer_made_of_a_slot_only_grows(
        self, tellings: list[Told], sizes: list[int], waits_ms: list[int]
    ) -> None:
        """Batch after batch, ever later; nobody watches longer than since it was served."""
        known: dict[tuple[UUID, int], Exposure] = {}
        now = NOW
        for wait_ms, start in zip(waits_ms, range(0, len(tellings), 4), strict=False):
            now += timedelta(milliseconds=wait_ms)
            outcome = decide(tellings[start : start + 4], known, {}, LOOSE, now)
            for key, exposure in outcome.changed.items():
                before = known.get(key)
                assert exposure.watch_ms <= (now - exposure.showing.served_at) / timedelta(milliseconds=1)
                if before is None:
                    assert now - exposure.showing.served_at <= SEEN_WITHIN
                    assert exposure.seen_at == now
                else:
                    assert exposure.showing == before.showing
                    assert exposure.seen_at == before.seen_at
                    assert exposure.clicked >= before.clicked
                    assert exposure.watch_ms >= before.watch_ms
                    assert exposure != before
            assert all(count >= 0 for _, *counts in outcome.added() for count in counts)
            known |= outcome.changed

    @given(varied, groupings)
    def test_what_is_added_is_what_a_naive_recount_finds(self, tellings: list[Told], sizes: list[int]) -> None:
        outcomes = told_in_groups(tellings, sizes, LOOSE)
        known: dict[tuple[UUID, int], Exposure] = {}
        for outcome in outcomes:
            known |= outcome.changed
        hosts: dict[tuple[int, date], list[int]] = {}
        items: dict[tuple[Item, int], list[int]] = {}
        prices: dict[int, list[int]] = {}
        for each in known.values():
            day = hosts.setdefault((each.showing.host_no, day_in_china(each.seen_at)), [0] * 6)
            item = items.setdefault((each.showing.item, each.showing.host_no), [0] * 3)
            price = prices.setdefault(each.showing.host_no, [0] * len(Count))
            day[0] += 1
            if each.showing.why:
                day[each.showing.why] += 1
            price[each.showing.why] += 1
            price[Count.UTILITY_MICRO] += round(each.showing.utility * 1_000_000)
            price[Count.CLICKS] += each.clicked
            day[4] += each.clicked
            day[5] += each.watch_ms
            for place, count in enumerate((1, each.clicked, min(each.watch_ms, WATCH_COUNTED_MS))):
                item[place] += count
        assert recounted(outcomes) == (hosts, items, prices)
        assert all(sum(day[1:4]) <= day[0] for day in hosts.values())
        for host, price in prices.items():
            assert sum(price[IMPRESSIONS]) == sum(day[0] for (no, _), day in hosts.items() if no == host)

    @given(tellings, groupings)
    def test_refusals_stand_where_they_stood_and_touch_nothing(self, tellings: list[Told], sizes: list[int]) -> None:
        refusal = TokenInvalid("not from here")
        mixed: list[Told | Refused] = [each for told in tellings for each in (told, refusal)]
        alone = decide(tellings, {}, {}, LOOSE, NOW)
        outcome = decide(mixed, {}, {}, LOOSE, NOW)
        assert outcome.answers[1::2] == [refusal] * len(tellings)
        assert outcome.answers[::2] == alone.answers
        assert outcome.changed == alone.changed

    def test_what_was_shown_earlier_in_the_day_counts_to_the_bounds(self) -> None:
        told = [Told(shown(slot), False, 0) for slot in range(3)]
        of_host = decide(told, {}, {(1, 0): 3}, Bounds(100, 4), NOW).answers
        of_all = decide(told, {}, {(1, 7): 3, (2, 0): 9}, Bounds(4, 100), NOW).answers
        for answers in (of_host, of_all):
            assert [isinstance(each, Exposure) for each in answers] == [True, False, False]

    def test_who_is_at_the_bound_may_still_add_to_what_counted(self) -> None:
        there = Exposure(shown(), NOW, False, 0)
        told = Told(there.showing, True, 500)
        outcome = decide([told], {there.key: there}, {(1, 0): 1}, Bounds(1, 1), NOW + timedelta(seconds=1))
        assert outcome.answers == [replace(there, clicked=True, watch_ms=500)]
        [(_, impressions, clicks, watch_ms)] = outcome.added()
        assert (impressions, clicks, watch_ms) == (0, 1, 500)

    def test_an_exposure_counts_until_an_hour_after_it_was_served_and_not_a_moment_longer(self) -> None:
        [at_last] = decide([Told(shown(), False, 0)], {}, {}, LOOSE, NOW + SEEN_WITHIN).answers
        assert isinstance(at_last, Exposure)
        late = NOW + SEEN_WITHIN + timedelta(microseconds=1)
        [too_late] = decide([Told(shown(), False, 0)], {}, {}, LOOSE, late).answers
        assert isinstance(too_late, TokenExpired)

    def test_what_another_server_s_clock_served_a_moment_from_now_is_seen_when_it_was_served(self) -> None:
        served_at = NOW + timedelta(seconds=2)
        [exposure] = decide([Told(shown(served_at=served_at), False, 900)], {}, {}, LOOSE, NOW).answers
        assert isinstance(exposure, Exposure)
        assert (exposure.seen_at, exposure.watch_ms) == (served_at, 0)

    def test_nothing_told_adds_nothing(self) -> None:
        outcome = decide([], {}, {}, LOOSE, NOW)
        assert (outcome.by_host(), outcome.by_item(), len(outcome.by_count().hosts)) == ({}, {}, 0)

    def test_what_was_served_long_ago_counts_no_more_but_adds_to_what_counted(self) -> None:
        late = NOW + SEEN_WITHIN + timedelta(seconds=1)
        told = Told(shown(), True, 100)
        [refused] = decide([told], {}, {}, LOOSE, late).answers
        assert isinstance(refused, TokenExpired)
        before = Exposure(told.showing, NOW, False, 0)
        [after] = decide([told], {before.key: before}, {}, LOOSE, late).answers
        assert after == replace(before, clicked=True, watch_ms=100)

    def test_one_long_look_counts_for_an_item_as_a_minute(self) -> None:
        told = [Told(shown(), False, 50_000), Told(shown(), False, 10**7), Told(shown(), False, 2 * 10**7)]
        known: dict[tuple[UUID, int], Exposure] = {}
        watched = 0
        for number, each in enumerate(told):
            outcome = decide([each], known, {}, LOOSE, NOW + timedelta(minutes=1 + number * 30))
            [item] = outcome.by_item().values() or [None]
            watched += item.watch_ms if item else 0
            known |= outcome.changed
        assert watched == 60_000

    def test_nobody_watches_longer_than_since_it_was_served(self) -> None:
        [exposure] = decide([Told(shown(), False, 10**6)], {}, {}, LOOSE, NOW + timedelta(seconds=2)).answers
        assert isinstance(exposure, Exposure)
        assert exposure.watch_ms == 2000
