"""Exact money: nothing is made or lost by dividing it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwind.kernel import FEN_MAX, PPM_WHOLE, Fen, Ppm, format_yuan, parse_yuan, portion, split

amounts = st.integers(0, FEN_MAX).map(Fen)
rates = st.integers(0, PPM_WHOLE).map(Ppm)
weights = st.lists(st.integers(0, FEN_MAX) | st.integers(0, 3), min_size=1, max_size=30)


@given(amounts, rates)
def test_a_portion_is_less_than_one_fen_below_the_exact_share(amount_fen: Fen, rate_ppm: Ppm) -> None:
    exact = Fraction(amount_fen * rate_ppm, PPM_WHOLE)

    assert 0 <= exact - portion(amount_fen, rate_ppm) < 1


@given(amounts)
def test_the_whole_rate_takes_everything_and_no_rate_takes_nothing(amount_fen: Fen) -> None:
    assert portion(amount_fen, PPM_WHOLE) == amount_fen
    assert portion(amount_fen, Ppm(0)) == 0


@given(amounts, st.integers(0, PPM_WHOLE))
def test_a_portion_and_what_is_left_never_exceed_the_whole(amount_fen: Fen, rate_ppm: int) -> None:
    left = portion(amount_fen, Ppm(PPM_WHOLE - rate_ppm))

    assert amount_fen - 1 <= portion(amount_fen, Ppm(rate_ppm)) + left <= amount_fen


@pytest.mark.parametrize(("amount_fen", "rate_ppm"), [(-1, 0), (1, -1), (1, PPM_WHOLE + 1)])
def test_a_portion_of_nonsense_is_a_programmer_error(amount_fen: int, rate_ppm: int) -> None:
    with pytest.raises(AssertionError):
        portion(Fen(amount_fen), Ppm(rate_ppm))


@given(amounts, weights)
def test_the_parts_sum_to_the_whole(amount_fen: Fen, weights: list[int]) -> None:
    parts = split(amount_fen, weights)

    assert len(parts) == len(weights)
    assert sum(parts) == amount_fen


@given(amounts, weights.filter(any))
def test_each_part_is_within_one_fen_of_its_exact_share(amount_fen: Fen, weights: list[int]) -> None:
    for part, weight in zip(split(amount_fen, weights), weights, strict=True):
        assert abs(part - Fraction(amount_fen * weight, sum(weights))) < 1


@given(amounts, weights.filter(any))
def test_the_odd_fen_go_to_the_largest_remainders_and_on_a_tie_to_the_earlier_part(
    amount_fen: Fen, weights: list[int]
) -> None:
    exact = [Fraction(amount_fen * weight, sum(weights)) for weight in weights]
    parts = split(amount_fen, weights)

    got_one = [(share % 1, -i) for i, (part, share) in enumerate(zip(parts, exact, strict=True)) if part > share]
    got_none = [(share % 1, -i) for i, (part, share) in enumerate(zip(parts, exact, strict=True)) if part < share]
    assert not got_one or not got_none or min(got_one) > max(got_none)


def test_equal_parts_give_their_odd_fen_to_the_first() -> None:
    assert split(Fen(11), [1, 1, 1]) == [4, 4, 3]


def test_without_any_weight_the_first_part_takes_everything() -> None:
    assert split(Fen(7), [0, 0]) == [7, 0]


@pytest.mark.parametrize(("amount_fen", "weights"), [(1, []), (-1, [1]), (1, [1, -1])])
def test_a_split_of_nonsense_is_a_programmer_error(amount_fen: int, weights: list[int]) -> None:
    with pytest.raises(AssertionError):
        split(Fen(amount_fen), weights)


@given(st.integers(0, FEN_MAX - 1))
def test_an_amount_that_was_written_reads_the_same(amount_fen: int) -> None:
    assert parse_yuan(format_yuan(amount_fen).replace(",", "")) == amount_fen


@pytest.mark.parametrize(("text", "amount_fen"), [("12", 1200), ("12.3", 1230), ("12.34", 1234), (" 0.01\n", 1)])
def test_yuan_with_up_to_two_decimals_are_read(text: str, amount_fen: int) -> None:
    assert parse_yuan(text) == amount_fen


@pytest.mark.parametrize(
    "text", ["", ".", "1.", ".5", "1.234", "-1", "+1", "1e3", "1,000", "٣", "１", "¥1", "1 2", "nan", "1" * 14]
)
def test_what_is_no_amount_in_yuan_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount in yuan"):
        parse_yuan(text)


@pytest.mark.parametrize(
    ("amount_fen", "text"), [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (-12345, "-123.45"), (123456789, "1,234,567.89")]
)
def test_amounts_are_written_in_yuan(amount_fen: int, text: str) -> None:
    assert format_yuan(amount_fen) == text
