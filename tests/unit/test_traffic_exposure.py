"""Tokens of what was shown, cursors of a feed, and what of exposures counts; without a database."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fairwind.kernel import ProductId, Refused, ShopId
from fairwind.kernel.pages import BadCursor
from fairwind.traffic import Count, Why, merged
from fairwind.traffic import cursor as cursors
from fairwind.traffic.counts import IMPRESSIONS
from fairwind.traffic.exposure import (
    SEEN_WITHIN,
    Bounds,
    Exposure,
    Outcome,
    TokenExpired,
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
        other = data.draw(st.sampled_from("ABCxyz019-_").filter(lambda letter: letter != token[place]))
        assert read(token[:place] + other + token[place + 1 :], KEY) is None
        assert read(token, OTHER) is None
        assert read(token[:-4], KEY) is None
        assert read(token + "AAAA", KEY) is None
        assert read("é" * len(token), KEY) is None

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
