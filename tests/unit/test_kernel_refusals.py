"""Refusals: values that say no."""

from __future__ import annotations

import copy

import pytest

from fairwind.kernel import Busy, Forbidden, Invalid, NotFound, Refused, accepted


def test_refusals_are_equal_when_they_say_the_same() -> None:
    assert NotFound("no order 7") == NotFound("no order 7")
    assert NotFound("no order 7") != NotFound("no order 8")
    assert NotFound("no") != Forbidden("no")
    assert Invalid("no", field="price_fen") != Invalid("no", field="quantity")


def test_equal_refusals_are_one_in_a_set() -> None:
    assert len({NotFound("no"), NotFound("no"), Forbidden("no")}) == 2


def test_an_outcome_is_answered_and_a_refusal_raised() -> None:
    assert accepted(7) == 7
    with pytest.raises(NotFound, match="no order 7"):
        accepted(NotFound("no order 7"))


def test_busy_says_when_to_come_again() -> None:
    assert Busy("full").more == {"retry_after_s": 1}
    assert copy.copy(Busy("full", 5)) == Busy("full", 5)


def kinds(base: type[Refused] = Refused) -> list[type[Refused]]:
    return [base, *(each for kind in base.__subclasses__() for each in kinds(kind))]


def test_every_refusal_of_the_kernel_has_a_code_of_its_own_and_the_status_of_a_refusal() -> None:
    ours = [kind for kind in kinds() if kind.__module__.startswith("fairwind.kernel.")]

    codes = [kind.code for kind in ours]
    assert sorted(codes) == sorted(set(codes))
    assert all(400 <= kind.status < 600 for kind in ours)
    assert all(code.replace("_", "").isalpha() and code.islower() for code in codes)
