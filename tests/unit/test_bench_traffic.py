"""The benchmark of traffic: rankers by hand, a small simulated day, replicas as processes, files, and the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwind.bench.traffic import simulator, staleness
from fairwind.bench.traffic.baselines import (
    PMMF,
    CPFair,
    ElasticRank,
    ManifoldRank,
    MinRegulariser,
    PureUtility,
    Random,
    best,
)
from fairwind.bench.traffic.compared import LEVELS, compare
from fairwind.bench.traffic.files import BadFileError, pair
from fairwind.bench.traffic.guaranteed import Guaranteed
from fairwind.bench.traffic.main import traffic
from fairwind.bench.traffic.published import Ranker, file_order, measure
from fairwind.bench.traffic.report import Report, figures, rows, tables
from fairwind.bench.traffic.rows import at_least, at_most
from fairwind.bench.traffic.simulator import Day, Feed, Size, played, served
from fairwind.bench.traffic.watched import watch

SMALL = Size(hosts=1000, requests=2000, candidates=60, new_part=0.05)
F = np.float32
DATA = Path(__file__).parents[3] / "shared/data/traffic"


def all_rankers(publishers: int) -> list[Ranker]:
    return [
        PureUtility(),
        Random(),
        CPFair(publishers),
        MinRegulariser(publishers, 10),
        ElasticRank(publishers),
        ManifoldRank(publishers),
        PMMF(publishers, 10, 20),
    ]


# Rankers


@given(amounts=st.lists(st.integers(0, 5), min_size=1, max_size=30), k=st.integers(1, 40))
def test_the_best_are_those_of_a_stable_sort(amounts, k):
    assert best(np.array(amounts, F), k).tolist() == np.argsort(-np.array(amounts, F), kind="stable")[:k].tolist()


@settings(max_examples=30)
@given(data=st.data())
def test_every_ranker_answers_with_as_many_positions_as_there_are_each_once(data):
    count, k = data.draw(st.integers(1, 15)), data.draw(st.integers(1, 20))
    scores = np.array(data.draw(st.lists(st.floats(0, 4, width=32), min_size=count, max_size=count)), F)
    owners = np.array(data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)), np.int32)

    for ranker in all_rankers(4):
        for _ in range(3):
            positions = ranker.rank(scores, owners, k).tolist()
            assert len(set(positions)) == len(positions) == min(k, count), ranker.name
            assert all(0 <= position < count for position in positions), ranker.name


@pytest.mark.parametrize(
    "ranker",
    [CPFair(2, weight=1.0), MinRegulariser(2, 4, weight=1.0), ElasticRank(2, elasticity=0.5, anchor=0.0, weight=1.0)],
)
def test_who_was_shown_gives_way_to_a_nearly_as_good_one(ranker):
    scores, owners = np.array([1.0, 0.95], F), np.array([0, 1], np.int32)

    assert [int(ranker.rank(scores, owners, 1)[0]) for _ in range(2)] == [0, 1]


def test_cpfairs_bonus_is_the_share_that_a_publisher_does_not_have():
    ranker = CPFair(2, weight=1.0)
    owners = np.array([0, 1], np.int32)
    ranker.rank(np.array([1, 0], F), owners, 1)

    # Publisher 0 has all, so publisher 1 has a bonus of one more.
    assert ranker.rank(np.array([0.99, 0], F), owners, 1).tolist() == [1]
    # Now they have a half each.
    assert ranker.rank(np.array([0.01, 0], F), owners, 1).tolist() == [0]


def test_the_elastic_tax_is_that_of_the_paper():
    ranker = ElasticRank(2, elasticity=0.5, anchor=0.0, weight=1.0)
    owners = np.array([0, 1], np.int32)
    ranker.rank(np.array([2, 0], F), owners, 1)

    # Shares are 3/4 and 1/4, the anchor is 1/4: (√¼ − √¾) · ½ / √¾ = −0.2113 for publisher 0, nothing for 1.
    tax = (0.25**0.5 - 0.75**0.5) * 0.5 * 0.75**-0.5
    assert ranker.rank(np.array([-tax - 0.001, 0], F), owners, 1).tolist() == [1]
    ranker = ElasticRank(2, elasticity=0.5, anchor=0.0, weight=1.0)
    ranker.rank(np.array([2, 0], F), owners, 1)
    assert ranker.rank(np.array([-tax + 0.001, 0], F), owners, 1).tolist() == [0]


def test_manifold_ranks_step_is_bounded_and_grows_with_indecision():
    step = ManifoldRank(2)._step

    assert step(np.array([])) == step(np.array([1.0])) == pytest.approx(0.08)
    assert step(np.ones(1000)) == 10
    assert step(np.ones(60)) == pytest.approx(0.7 * (np.log(60) / np.log(1.2) - 21))


def test_p_mmf_gives_nobody_more_than_its_capacity():
    ranker = PMMF(2, 4, 2, capacity=1.0)
    owners = np.array([0, 1], np.int32)

    shown = [int(ranker.rank(np.array([1, 0], F), owners, 1)[0]) for _ in range(4)]

    assert sorted(shown) == [0, 0, 1, 1]


@pytest.mark.skipif(not DATA.is_dir(), reason="the published scores do not lie beside the checkout")
@pytest.mark.parametrize(
    ("make", "near", "ndcg", "u_mmf50", "u_gini"),
    [
        (lambda _: PureUtility(), 5e-5, 1.0, 0.2037, 0.4751),
        (CPFair, 5e-5, 0.9981, 0.2594, 0.3702),
        (ManifoldRank, 5e-5, 0.9958, 0.3189, 0.2968),
        (ElasticRank, 2e-3, 0.9977, 0.2623, 0.4147),
        (lambda publishers: PMMF(publishers, 1645, 1238), 0.012, 0.9723, 0.3595, 0.2084),
    ],
)
def test_the_methods_come_out_as_published(make, near, ndcg, u_mmf50, u_gini):
    published = pair(Path(DATA, "steam_scores.npz"), Path(DATA, "steam_item_publisher.json")).published

    score = measure(make(published.publishers), published, 10, file_order(published))

    assert (score.ndcg, score.u_mmf50, score.u_gini) == pytest.approx((ndcg, u_mmf50, u_gini), abs=near)


# The simulated day


def test_the_same_seed_is_the_same_day_and_another_seed_is_another():
    block, again, other = Feed(SMALL, 1).block(3), Feed(SMALL, 1).block(3), Feed(SMALL, 2).block(3)

    assert all(np.array_equal(a, b) for a, b in zip(block, again, strict=True))
    assert not np.array_equal(block.hosts, other.hosts)


def test_no_host_is_found_twice_in_a_request_and_the_fresh_quota_is_kept():
    feed = Feed(SMALL, 1)
    hosts = np.concatenate([feed.block(number).hosts for number in range(feed.blocks)])

    assert hosts.shape == (SMALL.requests, SMALL.candidates)
    assert all(len(np.unique(request)) == SMALL.candidates for request in hosts)
    fresh = np.isin(hosts, feed.new).sum(axis=1)
    assert fresh.mean() == pytest.approx(SMALL.fresh_candidates, rel=0.02)


@pytest.mark.parametrize("make", [PureUtility, Random, lambda: Guaranteed(Feed(SMALL, 1))])
def test_exposure_sums_to_slots_of_requests(make):
    watched = watch(Feed(SMALL, 1), make(), lambda _: None)

    assert watched.exposure.sum() == SMALL.impressions
    assert 0 < watched.outcome.utility_kept <= 1
    assert len(watched.new) == 1 + Feed(SMALL, 1).blocks


def test_nothing_is_lost_when_the_truth_is_known_and_much_when_it_is_drawn_lots_for(monkeypatch):
    monkeypatch.setattr(simulator, "_NOISE", 0.0)
    monkeypatch.setattr(simulator, "_NOISE_NEW", 0.0)

    assert played(Feed(SMALL, 1), PureUtility()).utility_kept == pytest.approx(1)
    assert played(Feed(SMALL, 1), Random()).utility_kept < 0.6


def test_a_day_in_parts_is_the_day():
    feed, whole, parts = Feed(SMALL, 1), Day(Feed(SMALL, 1)), Day(Feed(SMALL, 1))
    block = feed.block(0)
    served(block, PureUtility(), whole)
    for start in range(3):
        part = Day(feed)
        served(block, PureUtility(), part, slice(start, None, 3))
        parts.add(part)

    assert np.array_equal(parts.exposure, whole.exposure)
    assert parts.clicks == whole.clicks
    assert parts.worth == pytest.approx(whole.worth, rel=1e-6)
    assert parts.worth_max == pytest.approx(whole.worth_max, rel=1e-6)


def test_by_utility_alone_exposure_is_as_uneven_as_in_public_logs():
    day = played(Feed(Size(requests=20_000), 1), PureUtility())

    # The whole day has .926 and .899; a fifth of it leaves more hosts out.
    assert day.gini == pytest.approx(0.926, abs=0.012)
    assert day.top_10 == pytest.approx(0.899, abs=0.015)
    assert day.never_shown > 0.4


def test_the_allocator_keeps_its_promises_in_a_small_day_and_pure_utility_does_not():
    size = Size(hosts=1000, requests=10_000)
    pure, fair = played(Feed(size, 1), PureUtility()), played(Feed(size, 1), Guaranteed(Feed(size, 1)))

    assert pure.floors_held < 0.6
    assert (fair.floors_held, fair.new_held, fair.never_shown) == (1, 1, 0)
    assert fair.utility_kept > 0.91
    assert fair.gini < pure.gini


# Replicas


def test_replicas_that_are_up_to_date_serve_the_day_that_one_process_serves():
    alone = played(Feed(SMALL, 1), Guaranteed(Feed(SMALL, 1)))
    one = staleness.stale_day(SMALL, 1, 1, 0.0).outcome
    three = staleness.stale_day(SMALL, 1, 3, 0.01).outcome

    assert msgspec.structs.replace(one, name="", utility_kept=0) == msgspec.structs.replace(
        alone, name="", utility_kept=0
    )
    assert one.utility_kept == pytest.approx(alone.utility_kept, rel=1e-6)
    assert three != one
    assert three.utility_kept == pytest.approx(one.utility_kept, abs=0.1)


def test_a_replica_that_ends_in_the_middle_of_the_day_is_told_of_and_the_others_are_ended(monkeypatch):
    ended = []
    end = staleness._ended
    monkeypatch.setattr(staleness, "_ended", lambda process: (end(process), ended.append(process)))

    def breaks(_):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        staleness.stale_day(SMALL, 1, 2, 0.0, progress=breaks)
    assert len(ended) == 2


# Files


def write_pair(folder: Path, users: int = 40, items: int = 30, publishers: int = 5, **changed: object) -> list[Path]:
    random = np.random.default_rng(3)
    dense = random.random((users, items)) * (random.random((users, items)) < 0.7) * np.linspace(2, 1, items)
    row, col = np.nonzero(dense)
    arrays = {
        "row": row,
        "col": col,
        "data": dense[row, col],
        "format": np.array(b"coo"),
        "shape": np.array(dense.shape),
    }
    arrays = {name: array for name, array in {**arrays, **changed}.items() if array is not None}
    np.savez(folder / "scores.npz", **arrays)
    (folder / "publishers.json").write_text(json.dumps({str(i): i % publishers for i in range(items)}))
    return [folder / "scores.npz", folder / "publishers.json"]


def test_a_sound_pair_is_read(tmp_path):
    found = pair(*write_pair(tmp_path))

    assert (len(found.published.requests), found.items, found.published.publishers) == (40, 30, 5)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"data": None}, "lacks data"),
        ({"row": None}, "lacks row"),
        ({"format": np.array(b"bsr")}, "bsr layout"),
        ({"shape": np.array([40])}, "shape must be"),
        ({"shape": np.array([40, 3])}, "col must be from 0 to 2"),
        ({"shape": np.array([40, 10**9])}, "at most 100,000,000"),
        ({"data": np.array([1.0, 2.0])}, "as many as data"),
        ({"data": np.array([])}, "no scores"),
        ({"data": np.array([np.nan])}, "finite numbers"),
        ({"data": np.array([-1.0])}, "finite numbers"),
        ({"data": np.array(["a"])}, "list of numbers"),
        ({"data": np.array([{}], object)}, "damaged"),
    ],
)
def test_scores_that_do_not_fit_are_refused_with_the_reason(changed, said, tmp_path):
    with pytest.raises(BadFileError, match=f"scores.npz: .*({said})"):
        pair(*write_pair(tmp_path, **changed))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "one JSON object"),
        ("{", "Expecting"),
        ('{"a": 1}', "items must be"),
        ('{"1": "x"}', "publishers must be"),
        ('{"1": true}', "publishers must be"),
        ('{"1": -1}', "publishers must be"),
        (None, "No such file"),
    ],
)
def test_publishers_that_do_not_fit_are_refused_with_the_reason(text, said, tmp_path):
    scores, publishers = write_pair(tmp_path)
    publishers.unlink()
    if text is not None:
        publishers.write_text(text)

    with pytest.raises(BadFileError, match=f"publishers.json: .*{said}"):
        pair(scores, publishers)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"\x93NUMPY\x01\x00v\x00 no array", b'{"a": 1}'])
def test_what_is_no_npz_file_is_refused(content, tmp_path):
    scores, publishers = write_pair(tmp_path)
    scores.write_bytes(content)

    with pytest.raises(BadFileError, match=r"scores\.npz: is not an \.npz file"):
        pair(scores, publishers)


def test_a_file_that_broke_off_or_was_damaged_is_refused(tmp_path):
    scores, publishers = write_pair(tmp_path)
    whole = scores.read_bytes()

    for damaged in (whole[: len(whole) // 2], whole[:200] + bytes(400) + whole[600:]):
        scores.write_bytes(damaged)
        with pytest.raises(BadFileError, match=r"scores\.npz: is (damaged|not)"):
            pair(scores, publishers)


# The report and the command


def test_a_goal_is_met_by_what_was_measured_and_not_by_what_is_shown():
    assert at_least("a", 0.95, 0.95).met
    assert not at_least("a", 0.94999999, 0.95).met
    assert at_most("a", 2, 2, " ms") == at_most("a", 2, 2.0, " ms")
    assert not at_most("a", 2.0000001, 2).met


def test_all_parts_of_a_small_report_are_in_its_tables_rows_and_figures(tmp_path):
    feed = Feed(SMALL, 1)
    report = Report(k=4, size=SMALL, seed=1)
    report.compared = compare(pair(*write_pair(tmp_path)), 4, lambda _: None)
    report.days = [watch(feed, PureUtility(), lambda _: None)]

    found = json.loads(json.dumps({"rows": msgspec.to_builtins(rows(report)), "tables": figures(report)}))

    assert all(set(row) == {"name", "goal", "measured", "met"} for row in found["rows"])
    assert {row["name"] for row in found["rows"]} > {"simulator: Gini of exposure", "nDCG of dual prices tuned to 0.99"}
    assert [method["name"] for method in found["tables"]["methods"]][::7] == ["pure utility", "dual prices"]
    assert len(found["tables"]["frontier"]) == 4 * len(LEVELS)
    assert len(list(tables(report))) == 5


def test_the_command_prints_rows_and_tables_as_json(tmp_path, capsys):
    scores, publishers = write_pair(tmp_path)

    assert traffic(part="published", scores=scores, publishers=publishers, k=3, as_json=True) == 0

    printed = json.loads(capsys.readouterr().out)
    assert set(printed) == {"rows", "tables"}
    assert printed["tables"]["methods"][0]["ndcg"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scores", "none.npz", "--publishers", "none.json"], "none.npz: No such file"),
        (["--scores", "none.npz"], "belong together"),
        (["--part", "published"], "needs --scores"),
        (["--k", "0"], "k"),
        (["--seed", "100"], "seed"),
    ],
)
def test_a_wrong_call_ends_with_status_2_and_says_why(arguments, said, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "from fairwind.cli import main; main()", "bench", "traffic", *arguments],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr


def test_more_slots_than_items_are_refused(tmp_path, capsys):
    scores, publishers = write_pair(tmp_path)

    assert traffic(part="published", scores=scores, publishers=publishers, k=31) == 2
    assert "30 items" in capsys.readouterr().err


def test_pictures_are_drawn_and_are_the_same_each_time(tmp_path):
    pictures = pytest.importorskip("fairwind.bench.traffic.pictures")
    report = Report(k=4, size=SMALL, seed=1, days=[watch(Feed(SMALL, 1), PureUtility(), lambda _: None)])

    first, again = pictures.draw(report, tmp_path / "a"), pictures.draw(report, tmp_path / "b")

    assert [path.name for path in first] == ["lorenz.png", "lorenz.svg", "new-hosts.png", "new-hosts.svg"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
