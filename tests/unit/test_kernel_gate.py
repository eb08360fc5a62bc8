"""The batch gate: whatever comes in whatever order, each call gets its own outcome."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
import structlog
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from fairwind.kernel import Busy, Gate, NotFound, Refused, Stopping, Unavailable

Kind = Literal["fine", "refused", "poison"]
Make = Callable[..., Gate[str, Any, Any]]


class Poison(Exception):  # noqa: N818
    pass


@dataclass(frozen=True)
class Call:
    """What somebody asks, after some turns of the loop; perhaps gone before the answer."""

    key: str
    number: int
    kind: Kind
    after: int
    gone_after: int | None


@dataclass
class Counterpart:
    """The other side of a gate: takes its time, commits a batch or fails as a whole, and watches how it is called."""

    turns: int
    busy: set[str] = field(default_factory=set)
    committed: dict[str, list[int]] = field(default_factory=dict)
    largest: int = 0
    most_at_once: int = 0

    async def __call__(self, key: str, calls: Sequence[Call]) -> list[int | Refused]:
        assert key not in self.busy, "batches of one key run one after another"
        assert {call.key for call in calls} == {key}
        self.busy.add(key)
        self.largest = max(self.largest, len(calls))
        self.most_at_once = max(self.most_at_once, len(self.busy))
        try:
            for _ in range(self.turns):
                await asyncio.sleep(0)
            for call in calls:
                if call.kind == "poison":
                    raise Poison(call.number)
            fine = [call.number for call in calls if call.kind == "fine"]
            self.committed.setdefault(key, []).extend(fine)
            return [NotFound(str(call.number)) if call.kind == "refused" else call.number for call in calls]
        finally:
            self.busy.discard(key)


@st.composite
def traffic(draw: st.DrawFn) -> list[Call]:
    kinds = st.sampled_from(["fine", "fine", "fine", "refused", "poison"])
    gone = st.none() | st.none() | st.integers(0, 8)
    drawn = draw(st.lists(st.tuples(st.sampled_from("abc"), kinds, st.integers(0, 6), gone), max_size=25))
    return [Call(key, number, kind, after, gone) for number, (key, kind, after, gone) in enumerate(drawn)]


def each_call_gets_its_own_outcome(make: Make) -> Callable[[], None]:
    @settings(database=None, report_multiple_bugs=False, phases=[Phase.explicit, Phase.generate])
    @given(traffic(), st.integers(1, 5), st.integers(1, 3), st.integers(0, 3))
    def holds(calls: list[Call], items_max: int, batches_max: int, turns: int) -> None:
        asyncio.run(play(make, calls, items_max, batches_max, turns))

    return holds


async def play(make: Make, calls: list[Call], items_max: int, batches_max: int, turns: int) -> None:
    counterpart = Counterpart(turns)
    gate = make("test", counterpart, items_max=items_max, batches_max=batches_max)
    entered: list[Call] = []

    async def ask(call: Call) -> int:
        for _ in range(call.after):
            await asyncio.sleep(0)
        entered.append(call)
        return int(await gate(call.key, call))

    async def outcome(call: Call) -> object:
        task = asyncio.create_task(ask(call))
        if call.gone_after is not None:
            for _ in range(call.gone_after):
                await asyncio.sleep(0)
            task.cancel()
        return (await asyncio.gather(task, return_exceptions=True))[0]

    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(*map(outcome, calls))
        await gate.close()

    for call, got in zip(calls, outcomes, strict=True):
        if isinstance(got, asyncio.CancelledError):
            assert call.gone_after is not None
        elif call.kind == "poison":
            assert isinstance(got, Poison)
            assert got.args == (call.number,)
        else:
            assert got == (call.number if call.kind == "fine" else NotFound(str(call.number)))
    for key in "abc":
        fine = [call.number for call in entered if (call.key, call.kind) == (key, "fine")]
        assert counterpart.committed.get(key, []) == fine, "each once, in the order they came, whoever has gone"
    assert counterpart.largest <= items_max
    assert counterpart.most_at_once <= batches_max


class WithoutIsolation(Gate[str, Any, Any]):
    """Gives the failure of a batch to everyone in it."""

    async def _outcomes(self, key: str, items: Sequence[Any]) -> Sequence[Any]:
        try:
            return await self._run(key, items)
        except Exception as error:
            return [error] * len(items)


class WithoutLanes(Gate[str, Any, Any]):
    """Runs every call as it comes."""

    async def __call__(self, key: str, item: Any) -> Any:
        [outcome] = await self._outcomes(key, [item])
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


def test_each_call_gets_its_own_outcome_in_any_interleaving() -> None:
    each_call_gets_its_own_outcome(Gate)()


@pytest.mark.parametrize("twin", [WithoutIsolation, WithoutLanes])
def test_a_naive_twin_is_caught(twin: Make) -> None:
    with pytest.raises(AssertionError):
        each_call_gets_its_own_outcome(twin)()


class Door:
    """A counterpart that waits until it is let, and answers each item with itself."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[Any]]] = []
        self.open = asyncio.Event()

    async def __call__(self, key: str, items: Sequence[Any]) -> Sequence[Any]:
        self.batches.append((key, list(items)))
        await self.open.wait()
        return items


async def settled(turns: int = 10) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def test_a_lone_call_goes_at_once_and_those_behind_it_go_together() -> None:
    door = Door()
    gate: Gate[str, int, int] = Gate("test", door)
    calls = [asyncio.create_task(gate("a", 1))]
    await settled()
    calls += [asyncio.create_task(gate("a", n)) for n in (2, 3, 4)]
    await settled()
    door.open.set()

    assert await asyncio.gather(*calls) == [1, 2, 3, 4]
    assert door.batches == [("a", [1]), ("a", [2, 3, 4])]


async def test_keys_take_turns_and_those_that_wait_go_on_gathering() -> None:
    door = Door()
    gate: Gate[str, int, int] = Gate("test", door, batches_max=1, items_max=2)
    calls = [asyncio.create_task(gate("a", n)) for n in range(5)]
    await settled()
    calls += [asyncio.create_task(gate("b", 10))]
    await settled()
    calls += [asyncio.create_task(gate("b", 11))]
    await settled()
    door.open.set()
    await asyncio.gather(*calls)

    assert door.batches == [("a", [0, 1]), ("b", [10, 11]), ("a", [2, 3]), ("a", [4])]


async def test_one_call_more_than_the_queue_holds_is_busy_even_when_every_key_is_new() -> None:
    door = Door()
    gate: Gate[str, int, int] = Gate("test", door, queue_max=3, batches_max=2)
    calls = []
    for n in range(5):
        calls.append(asyncio.create_task(gate(f"key {n}", n)))
        await settled()

    with pytest.raises(Busy) as busy:
        await gate("one more", 6)
    assert busy.value.more == {"retry_after_s": 1}
    assert REGISTRY.get_sample_value("fairwind_queue_items", {"gate": "test"}) == 3

    door.open.set()
    assert await asyncio.gather(*calls) == [0, 1, 2, 3, 4]
    assert await gate("one more", 6) == 6
    assert REGISTRY.get_sample_value("fairwind_queue_items", {"gate": "test"}) == 0


async def test_closing_finishes_what_waits_and_takes_nothing_new() -> None:
    door = Door()
    gate: Gate[str, int, int] = Gate("test", door, items_max=1)
    calls = [asyncio.create_task(gate("a", n)) for n in range(3)]
    await settled()
    closing = asyncio.create_task(gate.close())
    await settled()

    with pytest.raises(Stopping):
        await gate("a", 9)
    assert not closing.done()
    door.open.set()
    await closing
    assert [call.result() for call in calls] == [0, 1, 2]


async def test_closing_an_idle_gate_is_immediate() -> None:
    await Gate("test", Door()).close()


async def test_a_caller_who_leaves_takes_nobody_along() -> None:
    door = Door()
    gate: Gate[str, int, int] = Gate("test", door)
    first, second, third = (asyncio.create_task(gate("a", n)) for n in (1, 2, 3))
    await settled()
    second.cancel()
    await settled()
    door.open.set()

    assert await asyncio.gather(first, third) == [1, 3]
    assert second.cancelled()
    assert door.batches == [("a", [1, 2, 3])]


async def test_what_may_have_been_committed_is_not_tried_again() -> None:
    runs = 0

    async def run(_: str, items: Sequence[int]) -> Sequence[int]:
        nonlocal runs
        runs += 1
        raise Unavailable("perhaps")

    gate: Gate[str, int, int] = Gate("test", run)
    outcomes = await asyncio.gather(*(gate("a", n) for n in range(4)), return_exceptions=True)

    assert runs == 1
    assert outcomes == [Unavailable("perhaps")] * 4


async def test_a_refusal_raised_by_the_command_stays_with_the_item_at_fault() -> None:
    async def run(_: str, items: Sequence[int]) -> Sequence[int]:
        if 2 in items:
            raise NotFound("two")
        return items

    gate: Gate[str, int, int] = Gate("test", run)

    assert await asyncio.gather(*(gate("a", n) for n in range(4)), return_exceptions=True) == [0, 1, NotFound("two"), 3]


async def test_finding_one_poison_takes_few_runs() -> None:
    sizes: list[int] = []

    async def run(_: str, items: Sequence[int]) -> Sequence[int]:
        sizes.append(len(items))
        if 77 in items:
            raise Poison
        return items

    gate: Gate[str, int, int] = Gate("test", run)
    outcomes = await asyncio.gather(*(gate("a", n) for n in range(256)), return_exceptions=True)

    assert Counter(map(type, outcomes)) == {int: 255, Poison: 1}
    assert len(sizes) == 1 + 2 * 8


async def test_a_command_that_forgets_an_item_fails_loudly_and_the_lane_lives_on() -> None:
    answers = [[1], [3]]

    async def run(_: str, items: Sequence[int]) -> Sequence[int]:
        return answers.pop(0)

    gate: Gate[str, int, int] = Gate("test", run)
    outcomes = await asyncio.gather(gate("a", 1), gate("a", 2), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [AssertionError, AssertionError]
    assert await gate("a", 3) == 3


async def test_nobody_waits_for_ever_when_the_loop_is_torn_down() -> None:
    door = Door()
    gate: Gate[str, int, int] = Gate("test", door, items_max=1)
    calls = [asyncio.create_task(gate("a", n)) for n in range(3)]
    await settled()
    for task in asyncio.all_tasks():
        if "_drain" in repr(task.get_coro()):
            task.cancel()

    async with asyncio.timeout(1):
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 3
    door.open.set()
    assert await gate("a", 4) == 4


async def test_a_batch_carries_no_callers_request_id() -> None:
    seen: list[dict[str, Any]] = []

    async def run(_: str, items: Sequence[int]) -> Sequence[int]:
        seen.append(structlog.contextvars.get_contextvars())
        return items

    gate: Gate[str, int, int] = Gate("test", run)
    with structlog.contextvars.bound_contextvars(request_id="the first caller's"):
        await gate("a", 1)

    assert seen == [{}]


async def test_a_refusal_is_freed_with_its_caller() -> None:
    class Item:
        pass

    async def run(_: str, items: Sequence[Item]) -> Sequence[Refused]:
        return [NotFound("x") for _ in items]

    gate: Gate[str, Item, int] = Gate("test", run)

    async def ask() -> weakref.ref[Item]:
        item = Item()
        with pytest.raises(NotFound):
            await gate("a", item)
        return weakref.ref(item)

    gc.disable()
    try:
        gone = await ask()
        await settled()
        assert gone() is None
    finally:
        gc.enable()


async def test_a_gate_keeps_nothing_of_keys_it_has_served() -> None:
    door = Door()
    door.open.set()
    gate: Gate[str, int, int] = Gate("test", door)
    await asyncio.gather(*(gate(f"key {n}", n) for n in range(100)))
    await gate.close()

    assert not gate._lanes
    assert not gate._tasks


async def test_sizes_times_and_waits_are_measured() -> None:
    door = Door()
    door.open.set()
    gate: Gate[str, int, int] = Gate("measured", door)
    await asyncio.gather(*(gate("a", n) for n in range(3)))

    label = {"gate": "measured"}
    assert REGISTRY.get_sample_value("fairwind_batch_items_sum", label) == 3
    assert REGISTRY.get_sample_value("fairwind_batch_items_count", label) == 1
    assert REGISTRY.get_sample_value("fairwind_batch_seconds_count", label) == 1
    assert REGISTRY.get_sample_value("fairwind_queue_wait_seconds_count", label) == 1
