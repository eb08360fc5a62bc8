"""Retrieval: what never is in a list, whatever the shelf, and how often the rest is."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwind.kernel import Invalid
from fairwind.traffic.retrieval import SETTINGS, RetrievalSettings, Shelf, retrieve, shelf_of

CERTAIN = RetrievalSettings(temperature=0)


def random(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def shelf(hosts: Any, scores: Any, new: Any = (), **more: Any) -> Shelf:
    """New: which hosts are."""
    owners = np.asarray(hosts, np.int32)
    filled = {"categories": np.full(len(owners), -1, np.int32), "exposure": np.zeros(len(owners)), **more}
    return shelf_of(owners, scores=np.asarray(scores, np.float32), new=np.isin(owners, list(new)), **filled)


@st.composite
def shelves(draw: st.DrawFn) -> dict[str, Any]:
    """A few hosts with few or many items, some new, some short, some of what is there seen or not live."""
    sizes = draw(st.lists(st.sampled_from([0, 1, 3, 20, 90]), min_size=1, max_size=8))
    source = random(draw(st.integers(0, 10**6)))
    hosts = source.permutation(np.repeat(np.arange(len(sizes)), sizes)).astype(np.int32)
    n = len(hosts)
    return {
        "hosts": hosts,
        "categories": source.integers(-1, 4, n).astype(np.int32),
        "scores": np.where(source.random(n) < 0.1, np.nan, source.random(n) * (hosts + 1)).astype(np.float32),
        "new": (source.random(len(sizes)) < 0.4)[hosts],
        "exposure": source.integers(0, 100, n),
        "live": source.random(n) < 0.8,
        "seen": {int(item) for item in np.flatnonzero(source.random(n) < 0.2)} | {n + 5},
        "short": np.where(source.random(len(sizes)) < 0.5, source.random(len(sizes)), 0),
    }


@given(shelves(), st.integers(0, 60), st.integers(1, 6), st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.integers(0, 99))
def test_no_list_has_what_was_seen_or_is_not_live_or_anything_twice_or_too_much_of_a_host(
    drawn, count, most, quota, seed
):
    seen, short = drawn.pop("seen"), drawn.pop("short")
    there = shelf_of(**drawn)
    settings = RetrievalSettings(per_host_max=most)

    def items(given: Any) -> list[int]:
        return retrieve(
            there,
            np.array([2, 1, 0.5], np.float32),
            given,
            random(seed),
            count=count,
            fresh_quota=quota,
            under_served=short,
            settings=settings,
        ).tolist()

    found = items(seen)

    assert len(found) == len(set(found)) <= count
    assert not seen & set(found)
    assert all(drawn["live"][item] for item in found)
    assert max(Counter(drawn["hosts"][found].tolist()).values(), default=0) <= most
    assert found == items(seen), "the same generator gives the same list"
    assert found == items(np.array(sorted(seen))), "a set and an array are the same"

    free = [item for item in range(len(drawn["hosts"])) if drawn["live"][item] and item not in seen]
    room = Counter({host: min(n, most) for host, n in Counter(drawn["hosts"][free].tolist()).items()})
    assert len(found) == min(count, room.total()), "no place stays empty for nothing"
    new = {int(host) for host in drawn["hosts"][drawn["new"]]}
    fresh = sum(n for host, n in room.items() if host in new)
    assert sum(int(drawn["hosts"][item]) in new for item in found) >= min(round(quota * count), fresh)


@given(shelves(), st.integers(1, 40), st.integers(1, 6))
def test_without_chance_it_is_the_best_of_all_but_what_is_too_much_of_a_host(drawn, count, most):
    there = shelf_of(**{name: drawn[name] for name in ("hosts", "categories", "scores", "new", "exposure")})
    settings = RetrievalSettings(temperature=0, per_host_max=most)
    found = retrieve(there, None, drawn["seen"], random(), count=count, fresh_quota=0, settings=settings)

    worth = np.maximum(np.nan_to_num(drawn["scores"]), 1e-6)
    left, greedy = Counter[int](), []
    for item in np.argsort(-worth, kind="stable").tolist():
        host = int(drawn["hosts"][item])
        if item not in drawn["seen"] and left[host] < most and len(greedy) < count:
            left[host] += 1
            greedy.append(item)
    assert sorted(worth[found]) == sorted(worth[greedy])


def test_a_shop_with_ten_thousand_products_does_not_fill_the_list():
    hosts = np.concatenate((np.zeros(10_000), np.arange(1, 500)))
    there = shelf(hosts, np.where(hosts == 0, 0.9, 0.01))
    found = retrieve(there, None, set(), random(), count=400)
    assert len(found) == 400
    assert np.count_nonzero(hosts[found] == 0) == 5


def test_the_first_of_a_list_is_drawn_with_odds_of_score_to_the_inverse_temperature():
    there, source = shelf([0, 1, 2], [0.1, 0.2, 0.3]), random(7)
    for temperature, odds in ((1.0, [1, 2, 3]), (0.5, [1, 4, 9])):
        settings = RetrievalSettings(temperature=temperature)
        first = [
            int(retrieve(there, None, set(), source, count=1, fresh_quota=0, settings=settings)[0]) for _ in range(4000)
        ]
        assert np.bincount(first) / 4000 == pytest.approx(np.array(odds) / sum(odds), abs=0.03)


def test_lists_differ_from_request_to_request_and_better_items_come_more_often():
    scores = np.linspace(0.01, 0.5, 300)
    there, source = shelf(np.arange(300), scores), random(2)
    often = np.zeros(300)
    lists = [retrieve(there, None, set(), source, count=50) for _ in range(200)]
    for each in lists:
        often[each] += 1
    assert len({tuple(sorted(each.tolist())) for each in lists}) == 200
    assert often[:100].sum() < often[100:200].sum() < often[200:].sum()
    assert np.count_nonzero(often) > 100


def test_taste_brings_in_a_category_and_an_unknown_one_is_as_it_was():
    there = shelf([0, 1, 2], [0.1, 0.1, 0.15], categories=np.array([0, 1, -1], np.int32))
    liking = np.array([1, 2], np.float32)
    assert retrieve(there, liking, set(), random(), settings=CERTAIN).tolist() == [1, 2, 0]
    assert retrieve(there, None, set(), random(), count=1, settings=CERTAIN).tolist() == [2]


def test_hosts_that_are_short_get_places_by_how_short_they_are_and_not_by_how_many_items_they_have():
    hosts = np.concatenate((np.arange(100), np.full(300, 100), [101]))
    there, source = shelf(hosts, np.where(hosts < 100, 0.5, 0.0001)), random(3)
    short = np.zeros(102)
    short[[100, 101]] = 1, 3
    drawn = Counter[int]()
    for _ in range(2000):
        found = retrieve(there, None, set(), source, count=10, fresh_quota=0, under_served=short)
        drawn.update(int(host) for host in hosts[found] if host >= 100)
    assert drawn.total() == 2000, "one place in ten is theirs, and they would have none by their score"
    assert drawn[101] / 2000 == pytest.approx(0.75, abs=0.03)
    assert not (hosts[retrieve(there, None, set(), source, count=10)] >= 100).any()


def test_new_hosts_are_drawn_by_how_little_they_had_and_a_viewers_taste():
    """One place of ten, odds 1 to 1/(1 + 2), and 2 to 1/(1 + 2) when the viewer likes the first twice as much."""
    hosts = np.arange(102)
    there = shelf(
        hosts,
        np.where(hosts < 100, 0.5, 1e-6),
        new=(100, 101),
        exposure=np.where(hosts == 101, 2, 0),
        categories=np.where(hosts == 100, 0, -1),
    )
    source = random(5)
    for taste, part in ((None, 3 / 4), (np.array([2], np.float32), 6 / 7)):
        lists = [retrieve(there, taste, set(), source, count=10) for _ in range(2000)]
        found = Counter(int(item) for each in lists for item in each)
        assert found[100] + found[101] == 2000
        assert found[100] / 2000 == pytest.approx(part, abs=0.03)


def test_quotas_of_more_than_all_leave_no_more_places_than_there_are():
    there = shelf(np.arange(50), np.full(50, 0.5), new=range(25))
    found = retrieve(there, None, set(), random(), count=10, fresh_quota=1.0, under_served=np.ones(50))
    assert len(found) == 10
    assert np.all(found < 25)


def test_a_shortage_that_is_no_number_above_0_or_of_hosts_that_are_not_given_is_none():
    there = shelf([0, 1, 2, 3], [0.4, 0.3, 0.2, 0.1])
    found = retrieve(
        there, None, set(), random(), count=2, fresh_quota=0, under_served=[0, np.nan, -1], settings=CERTAIN
    )
    assert found.tolist() == [0, 1]


def test_from_nothing_nothing_is_retrieved():
    empty = shelf([], [])
    assert retrieve(empty, None, {1, 2}, random(), under_served=np.ones(3)).tolist() == []
    assert retrieve(shelf([0], [0.5]), None, {0}, random()).tolist() == []
    assert retrieve(shelf([0], [0.5]), None, np.array([0]), random(), count=0).dtype == np.int32
    assert shelf([3], [0.5], live=np.array([False])).hosts_max == 0


def test_hosts_with_many_items_each_far_apart_do_not_hide_those_behind():
    """Each look at the best is full of one host; the list still has the best of all."""
    hosts = np.arange(20_000) // 400
    there = shelf(hosts, np.exp(-0.2 * hosts))
    found = retrieve(there, None, set(), random(), count=100, settings=RetrievalSettings(temperature=0, per_host_max=3))
    assert Counter(hosts[found].tolist()) == {**dict.fromkeys(range(33), 3), 33: 1}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"temperature": -0.1}, "temperature must be from 0 to 5 (log score), not -0.1"),
        ({"per_host_max": 0}, "per_host_max must be from 1 to 1000 (items), not 0"),
        ({"floor_quota": 2.0}, "floor_quota must be from 0 to 1 (share of candidates), not 2.0"),
    ],
)
def test_a_wrong_setting_is_refused_by_name_range_and_unit(values, told):
    with pytest.raises(Invalid) as refused:
        RetrievalSettings(**values)
    assert refused.value.detail == told


def test_every_setting_has_a_description_and_a_unit():
    assert [setting.name for setting in SETTINGS] == list(RetrievalSettings.__struct_fields__)
    assert all(setting.description and setting.unit and setting.range for setting in SETTINGS)
