"""Statements without a database: formulas give the amounts, sums hold, files are safe, months are those of China."""

from __future__ import annotations

import csv
import re
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fairwind.kernel import CHINA, Fen, Forbidden, IdReused, Invalid, NotFound, OrderId, PersonId, Ppm, ShopId, uuid7
from fairwind.kernel.words import Words
from fairwind.settlement import spreadsheet
from fairwind.settlement.earning import Sale, earning, estimate, share_of, why
from fairwind.settlement.formula import formula, rate
from fairwind.settlement.listing import Begun, Ended, Part, Reading, lines_of
from fairwind.settlement.period import PeriodClosed, hold_open, month_of, next_to_close, period
from fairwind.settlement.share import Held, SettledLine, Shares, Terms, back, share_line
from fairwind.settlement.statement import (
    KINDS,
    AccountKey,
    Book,
    Entry,
    Funded,
    Place,
    Returned,
    Settled,
    Sold,
    Sums,
    account_sums,
    books,
    differences,
    kind_of,
    place_after,
    total,
)
from fairwind.settlement.withholding import (
    AlreadySettled,
    AlreadyWithheld,
    Asker,
    NotWithholdable,
    Subject,
    Withholding,
    WithholdingDraft,
    WithholdingId,
    is_open,
    open_withholding,
    release,
)

NOW = datetime(2020, 7, 3, 12, tzinfo=UTC)
SHOP = ShopId(42)
ORDER = OrderId(UUID(int=7))
BUYER, MEMBER, OPERATOR, STRANGER = (
    Asker(PersonId(7)),
    Asker(PersonId(8), shop=True),
    Asker(PersonId(1), operator=True),
    Asker(PersonId(9)),
)
TERMS = Terms("shop", Ppm(20_000), PersonId(5), Ppm(200_000), Ppm(100_000), PersonId(6), Ppm(300_000), None, Ppm(0))
ITEMS = {
    "service_fee": "service_fee_fen",
    "commission": "creator_fen",
    "alliance_fee": "alliance_fee_fen",
    "mcn_share": "mcn_fen",
    "agency_fee": "agency_fen",
    "proceeds": "seller_fen",
}


def entry(item: str, amount_fen: int, kind: str = "settled", **facts: object) -> Entry:
    """An entry of a line that sold for 98 yuan, or for what is settled where that is more."""
    settled = facts.get("settled")
    paid_fen = max(9_800, settled.held.paid_fen) if isinstance(settled, Settled) else 9_800
    sold = Sold("雨伞", "红", 1, Fen(paid_fen))
    return Entry(SHOP, NOW, "x", kind, item, ORDER, 1, None, amount_fen, **({"sold": sold} | facts))  # type: ignore[arg-type]


@st.composite
def settlements(draw: st.DrawFn) -> Settled:
    paid_fen = draw(st.integers(1, 10**9))
    subsidies_fen = draw(st.integers(0, 10**6))
    base_fen = paid_fen + draw(st.integers(0, subsidies_fen))
    rates = draw(st.tuples(*[st.integers(0, 300_000)] * 5))
    has_creator, has_mcn, has_agency = draw(st.tuples(st.booleans(), st.booleans(), st.booleans()))
    terms = Terms(
        "shop",
        Ppm(rates[0]),
        PersonId(5) if has_creator else None,
        Ppm(rates[1]) if has_creator else Ppm(0),
        Ppm(rates[2]) if has_creator else Ppm(0),
        PersonId(6) if has_creator and has_mcn else None,
        Ppm(rates[3]) if has_creator and has_mcn else Ppm(0),
        PersonId(7) if has_creator and has_agency else None,
        Ppm(rates[4]) if has_creator and has_agency else Ppm(0),
    )
    held = Held(Fen(paid_fen), Fen(paid_fen + subsidies_fen), Fen(base_fen))
    return Settled(held, terms, share_line(held, terms))


def worked_out(words: str) -> int:
    """What the arithmetic of an English formula comes to, reckoned by hand: floors, products and sums."""
    text = words.replace(",", "").replace(" fen", "")
    if match := re.search(r"floor\((\d+) × (\d+) / (\d+)\) = \d+(?:  ?, ?| )?(?:(\d+) of it before)?", text):
        share, part, whole, before = match.groups()
        return int(share) * int(part) // int(whole) - int(before or 0)
    if match := re.fullmatch(r"base (\d+) × ([\d.]+) % = .*", text):
        return int(match[1]) * ppm(match[2]) // 1_000_000
    if text.startswith(("paid", "returned")):
        signs = re.findall(r"([+−]?) ?[a-z ]*?(\d+)(?= [+−=]|$)", text.partition(" = ")[0])
        return sum(-int(number) if sign == "−" else int(number) for sign, number in signs)
    commission = re.search(r"commission ([\d.]+) % of base (\d+)", text)
    assert commission, words
    gross = left = int(commission[2]) * ppm(commission[1]) // 1_000_000
    if match := re.search(r"alliance fee ([\d.]+) % of it = (\d+)$", text):
        return gross * ppm(match[1]) // 1_000_000
    if match := re.search(r"alliance fee ([\d.]+) % of it", text):
        left -= gross * ppm(match[1]) // 1_000_000
    if match := re.search(r"MCN ([\d.]+) % of the net (\d+)", text):
        assert left == int(match[2])
        mcn = left * ppm(match[1]) // 1_000_000
        left = left - mcn if "yours" in text else mcn
    return left


def ppm(percent: str) -> int:
    whole, _, rest = percent.partition(".")
    return int(whole) * 10_000 + int(rest.ljust(4, "0") or 0)


class TestFormulas:
    @given(settlements(), st.sampled_from(sorted(ITEMS)))
    def test_the_arithmetic_in_the_words_gives_the_amount(self, settled: Settled, item: str) -> None:
        amount_fen = getattr(settled.shares, ITEMS[item])
        if item in ("commission", "alliance_fee", "mcn_share") and settled.terms.creator_id is None:
            return
        if item == "mcn_share" and settled.terms.mcn_id is None:
            return
        if item == "alliance_fee" and not settled.terms.alliance_ppm:
            return
        words = formula(entry(item, amount_fen, settled=settled))
        assert worked_out(words.en) == amount_fen
        assert f"{amount_fen:,}" in words.en
        assert f"{amount_fen:,}" in words.zh

    @given(settlements(), st.lists(st.integers(1, 10**9), min_size=1, max_size=4), st.sampled_from(sorted(ITEMS)))
    def test_the_formulas_of_refunds_give_what_each_took(self, settled: Settled, refunds: list[int], item: str) -> None:
        line = SettledLine(ORDER, 1, settled.held, settled.shares, settled.terms)
        before = 0
        for wanted_fen in refunds:
            amount_fen = min(wanted_fen, settled.held.paid_fen - before)
            if amount_fen == 0:
                break
            line = SettledLine(ORDER, 1, settled.held, settled.shares, settled.terms, Fen(before))
            parts = back(line, Fen(amount_fen), Fen(0))
            returned = Returned(Fen(before), Fen(amount_fen), Fen(0), parts)
            part_fen = getattr(parts, ITEMS[item])
            words = formula(entry(item, -part_fen, "clawed_back", settled=settled, returned=returned))
            assert worked_out(words.en) == part_fen
            before += amount_fen

    def test_the_words_read_as_an_accountant_would_write_them(self) -> None:
        held = Held(Fen(9800), Fen(10_000), Fen(9800))
        settled = Settled(held, TERMS, share_line(held, TERMS))
        told = {
            item: formula(entry(item, getattr(settled.shares, name), settled=settled)) for item, name in ITEMS.items()
        }
        assert told["service_fee"] == Words(
            "base 9,800 fen × 2 % = 196 fen service fee", "基数 9,800 分 × 2 % = 技术服务费 196 分"
        )
        assert told["commission"].en == (
            "commission 20 % of base 9,800 fen = 1,960 fen; alliance fee 10 % of it = 196 fen; "
            "MCN 30 % of the net 1,764 fen = 529 fen; yours 1,235 fen"
        )
        assert told["mcn_share"].en.endswith("MCN 30 % of the net 1,764 fen = 529 fen")
        assert told["alliance_fee"].en.endswith("alliance fee 10 % of it = 196 fen")
        assert told["proceeds"].zh == "实付 9,800 + 补贴 200 − 技术服务费 196 − 佣金 1,960 = 7,844 分"

    def test_what_was_refunded_before_a_line_settled_is_told(self) -> None:
        held = Held(Fen(9000), Fen(9000), Fen(9000))
        settled = Settled(held, Terms("shop", Ppm(20_000)), share_line(held, Terms("shop", Ppm(20_000))))
        told = formula(entry("proceeds", 8_820, settled=settled))
        assert told.zh == "实付 9,800 − 此前已退 800 − 技术服务费 180 = 8,820 分"
        assert told.en == "paid 9,800 − refunded before 800 − service fee 180 = 8,820 fen"

    def test_a_formula_that_does_not_give_the_amount_is_not_told(self) -> None:
        held = Held(Fen(9800), Fen(9800), Fen(9800))
        settled = Settled(held, TERMS, share_line(held, TERMS))
        assert formula(entry("service_fee", 197, settled=settled)).en == "service fee: 197 fen"
        crooked = Settled(held, TERMS._replace(fee_ppm=Ppm(30_000)), settled.shares)
        assert formula(entry("commission", settled.shares.creator_fen, settled=crooked)).en == "commission: 1,235 fen"
        returned = Returned(Fen(0), Fen(100), Fen(0), Shares(*[Fen(0)] * 6))
        words = formula(entry("commission", -99, "clawed_back", settled=settled, returned=returned))
        assert words == Words("commission given back: 99 fen", "追回佣金 99 分")

    def test_freight_subsidies_and_sweeps_have_words_of_their_own(self) -> None:
        held = Held(Fen(600), Fen(600), Fen(600))
        freight = Entry(
            SHOP,
            NOW,
            "shop",
            "settled",
            "proceeds",
            ORDER,
            0,
            None,
            600,
            settled=Settled(held, Terms("shop", Ppm(0)), Shares(Fen(0), Fen(0), Fen(0), Fen(0), Fen(0), Fen(600))),
        )
        assert formula(freight).en == "freight 600 fen"
        funded = (Funded(1, 5, 300), Funded(2, 6, 200))
        assert formula(entry("subsidy", -500, "subsidised", funded=funded)).en == (
            "campaign 5: 300 fen on line 1; campaign 6: 200 fen on line 2"
        )
        assert formula(entry("subsidy", -501, "subsidised", funded=funded)).en == "subsidy: 501 fen"
        assert formula(entry("sweep", -1235, "swept")).zh == "1,235 分待下次打款"
        assert formula(entry("sweep", 378, "swept")).en == "a debt of 378 fen is carried to the next payout"
        in_payout = {"reference": uuid7(NOW)}
        assert formula(replace(entry("sweep", -1235, "swept"), **in_payout)).zh == "转入打款 1,235 分"
        netted = replace(entry("sweep", 378, "swept"), **in_payout)
        assert formula(netted).en == "a debt of 378 fen was netted against a payout"
        assert formula(entry("subsidy", 61, "subsidy_returned")).en == "a refund gave 61 fen of the subsidy back"

    @given(st.integers(0, 1_000_000))
    def test_rates_are_written_exactly(self, rate_ppm: int) -> None:
        assert ppm(rate(rate_ppm).removesuffix(" %")) == rate_ppm


keys = st.builds(AccountKey, st.integers(1, 3).map(ShopId), st.sampled_from(["shop", "subsidy"]), st.integers(0, 2))
movements = st.lists(st.tuples(keys, st.sampled_from(KINDS), st.integers(1, 3), st.integers(-1000, 1000)), max_size=20)


class TestSums:
    @given(st.dictionaries(keys, st.integers(-1000, 1000)), movements)
    def test_every_account_book_and_statement_closes_with_what_it_opened_and_what_moved(
        self, opening: dict[AccountKey, int], listed: list[tuple[AccountKey, str, int, int]]
    ) -> None:
        sums = account_sums(opening, listed)  # type: ignore[arg-type]
        for key, each in sums.items():
            moved = sum(fen for of, _, _, fen in listed if of == key)
            assert each.closing_fen == opening.get(key, 0) + moved
            assert each.entries == sum(count for of, _, count, _ in listed if of == key)
        shown = books(sums, {})
        assert total(book.sums for book in shown) == total(sums.values())
        assert [book.shop_id for book in shown] == sorted({key.shop_id for key in sums})

    @given(movements, st.integers(1, 5))
    def test_one_fen_between_statement_and_ledger_is_found(
        self, listed: list[tuple[AccountKey, str, int, int]], extra: int
    ) -> None:
        sums = account_sums({}, listed)  # type: ignore[arg-type]
        moved = [(key, kind, fen) for key, kind, _, fen in listed]
        assert differences(sums, moved) == []
        [found] = differences(sums, [*moved, (AccountKey(SHOP, "creator", 9), "mcn_share", extra)])
        assert (found.kind, found.statement_fen, found.ledger_fen) == ("settled", 0, extra)

    def test_what_a_creator_passes_on_settles_with_the_rest(self) -> None:
        assert {kind_of(reason) for reason in ("settled", "alliance_fee", "mcn_share")} == {"settled"}
        assert kind_of("refund_paid") is None

    def test_reading_goes_on_among_entries_of_one_moment(self) -> None:
        first, second = entry("service_fee", 1), entry("alliance_fee", 2)
        place = place_after([first], Place(SHOP))
        assert place == Place(SHOP, NOW, ORDER, 1, 1)
        assert place_after([second], place).skip == 2


class TestFiles:
    def reading(self, *, title: str = "雨伞") -> tuple[list[list[str]], list[Book]]:
        sums = Sums(opening_fen=-450, settled_fen=100, clawed_back_fen=-30, closing_fen=-380, entries=2)
        there = [Book(SHOP, title, sums, ()), Book(ShopId(43), "空", Sums(opening_fen=5, closing_fen=5), ())]
        entries = [entry("proceeds", 100), entry("proceeds", -30, "clawed_back")]
        named = [Entry(*(getattr(each, name) for name in each.__struct_fields__)) for each in entries]
        reading, names = Reading(), {}  # type: ignore[var-annotated]
        rows = [spreadsheet.header("en")]
        for part in (Part([there[0]], named[:1], None), Part([there[1]], named[1:], None)):
            rows += spreadsheet.rows(reading.read(part), reading, names, "en")
        rows += [*spreadsheet.rows(reading.end(), reading, names, "en"), spreadsheet.total(reading, "en")]
        return rows, there

    def test_a_spreadsheet_parses_back_to_the_same_sums(self) -> None:
        rows, there = self.reading()
        text = spreadsheet.MARK + spreadsheet.text(rows)
        assert text.encode().startswith(b"\xef\xbb\xbf")
        parsed = list(csv.DictReader(StringIO(text.removeprefix(spreadsheet.MARK))))
        amounts = [int(row["amount_fen"]) for row in parsed if row["amount_fen"]]
        kinds = [row["kind"] for row in parsed]
        assert amounts == [100, -30]
        assert kinds == ["opening", "settled", "clawed back", "closing", "opening", "closing", "total"]
        assert int(parsed[3]["balance_fen"]) == there[0].sums.closing_fen
        assert int(parsed[-1]["balance_fen"]) == sum(book.sums.closing_fen for book in there)
        assert parsed[1]["amount_yuan"] == "1.00"
        assert parsed[2]["amount_yuan"] == "-0.30"
        assert parsed[1]["time"] == "2020-07-03 20:00:00"

    @pytest.mark.parametrize("title", ["=1+1", "+86", "-2", "@SUM(A1)", "\t=1", " =1", "＝1"])
    def test_no_title_becomes_a_formula(self, title: str) -> None:
        rows, _ = self.reading(title=title)
        shown = {row[1] for row in rows[1:]}
        assert f"'{title}" in shown
        assert title not in shown

    @given(st.text(max_size=5))
    def test_a_cell_keeps_its_text_whatever_it_is(self, text: str) -> None:
        assert spreadsheet.safe(text).removeprefix("'") == text.removeprefix("'")

    def test_a_book_without_entries_opens_and_closes(self) -> None:
        reading = Reading()
        empty = Book(SHOP, "空", Sums(opening_fen=5, closing_fen=5), ())
        told = [*reading.read(Part([empty], [], None)), *reading.end()]
        assert told == [Begun(empty), Ended(empty, 5)]
        assert lines_of([entry("proceeds", 1)])[0].title == "雨伞"


class TestPeriods:
    @given(st.dates(date(2000, 1, 1), date(2999, 12, 1)))
    def test_days_make_up_months_and_months_follow_each_other(self, day: date) -> None:
        month, one = period(f"{day:%Y-%m}"), period(f"{day:%Y-%m-%d}")
        assert month.since <= one.since < one.until <= month.until
        assert one.until - one.since == timedelta(days=1)
        assert month_of(one.since) == month
        assert month_of(month.until).since == month.until
        assert month.since.astimezone(CHINA).day == 1

    @pytest.mark.parametrize("name", ["2020-13", "2020-00", "2020-02-30", "2020-06-00", "1999-01", "2020", "june", ""])
    def test_what_is_no_month_or_day_is_refused(self, name: str) -> None:
        with pytest.raises(Invalid):
            period(name)

    def test_months_close_one_after_the_other_once_they_are_over_long_enough(self) -> None:
        june, wait = period("2020-06"), timedelta(hours=6)
        assert next_to_close(None, None, NOW, wait) is None
        assert next_to_close(None, june.since, june.until + wait - timedelta(seconds=1), wait) is None
        assert next_to_close(None, june.since, june.until + wait, wait) == june
        assert next_to_close(june.until, june.since, june.until + wait, wait) is None
        august = period("2020-08")
        assert next_to_close(june.until, None, august.until, wait) == period("2020-07")

    def test_nothing_is_entered_into_a_closed_month(self) -> None:
        hold_open(None, NOW)
        hold_open(NOW, NOW)
        with pytest.raises(PeriodClosed):
            hold_open(NOW + timedelta(seconds=1), NOW)


def subject(**changes: object) -> Subject:
    values = {"order_id": ORDER, "buyer_id": PersonId(7), "state": "received", "lines": frozenset({0, 1, 2})}
    return Subject(**(values | {"settled": frozenset({2})} | changes))  # type: ignore[arg-type]


def wanted(
    reason: str = "dispute", line_no: int = 1, until: datetime | None = None, number: int = 1
) -> WithholdingDraft:
    return WithholdingDraft(WithholdingId(UUID(int=number)), line_no, reason, "货不对板", until)  # type: ignore[arg-type]


def opened(
    draft: WithholdingDraft, asker: Asker = BUYER, there: list[Withholding] | None = None, **changes: object
) -> object:
    return open_withholding(subject(**changes), draft, asker, there or [], SHOP, ORDER, NOW)


class TestWithholdings:
    @pytest.mark.parametrize(
        ("asker", "reason", "may"),
        [
            (BUYER, "dispute", Withholding),
            (BUYER, "price_protection", Forbidden),
            (MEMBER, "dispute", Withholding),
            (MEMBER, "price_protection", Withholding),
            (OPERATOR, "dispute", Withholding),
            (OPERATOR, "price_protection", Withholding),
            (STRANGER, "dispute", NotFound),
            (STRANGER, "price_protection", NotFound),
        ],
    )
    def test_who_may_open_one_and_for_what(self, asker: Asker, reason: str, may: type) -> None:
        assert isinstance(opened(wanted(reason), asker), may)

    def test_an_order_that_is_not_there_is_not_found(self) -> None:
        assert isinstance(open_withholding(None, wanted(), OPERATOR, [], SHOP, ORDER, NOW), NotFound)

    @pytest.mark.parametrize(
        ("draft", "changes", "refusal"),
        [
            (wanted(line_no=3), {}, Invalid),
            (wanted(line_no=0), {"lines": frozenset({1})}, Invalid),
            (wanted(line_no=2), {}, AlreadySettled),
            (wanted(), {"state": "placed"}, NotWithholdable),
            (wanted(), {"state": "refunded"}, NotWithholdable),
            (wanted(until=NOW), {}, Invalid),
        ],
    )
    def test_what_cannot_be_withheld_is_told(
        self, draft: WithholdingDraft, changes: dict[str, object], refusal: type
    ) -> None:
        assert isinstance(opened(draft, **changes), refusal)

    def test_one_of_a_kind_is_open_at_a_time(self) -> None:
        first = opened(wanted())
        assert isinstance(first, Withholding)
        assert isinstance(opened(wanted(number=2), there=[first]), AlreadyWithheld)
        assert isinstance(opened(wanted("price_protection", number=2), MEMBER, [first]), Withholding)

    def test_what_was_released_only_an_operator_withholds_again(self) -> None:
        first = opened(wanted())
        assert isinstance(first, Withholding)
        over = release(first, OPERATOR, NOW)
        assert isinstance(over, Withholding)
        assert isinstance(opened(wanted(number=2), BUYER, [over]), AlreadyWithheld)
        assert isinstance(opened(wanted(number=2), OPERATOR, [over]), Withholding)

    def test_buyer_and_shop_cannot_use_up_each_other_s_dispute(self) -> None:
        for asker, other in ((BUYER, MEMBER), (MEMBER, BUYER)):
            first = opened(wanted(), asker)
            assert isinstance(first, Withholding)
            assert isinstance(opened(wanted(number=2), other, [first]), Withholding)
            over = release(first, OPERATOR, NOW)
            assert isinstance(over, Withholding)
            assert isinstance(opened(wanted(number=2), other, [over]), Withholding)
            assert isinstance(opened(wanted(number=2), asker, [over]), AlreadyWithheld)

    @pytest.mark.parametrize("asker", [BUYER, MEMBER])
    def test_nobody_but_an_operator_holds_back_what_others_have_earned_without_end(self, asker: Asker) -> None:
        by_default = opened(wanted(), asker)
        assert isinstance(by_default, Withholding)
        assert by_default.until == NOW + timedelta(days=30)
        assert isinstance(opened(wanted(until=NOW + timedelta(days=90)), asker), Withholding)
        too_long = NOW + timedelta(days=90, seconds=1)
        assert isinstance(opened(wanted(until=too_long), asker), Invalid)
        assert isinstance(opened(wanted(until=too_long), OPERATOR), Withholding)
        for_good = opened(wanted(), OPERATOR)
        assert isinstance(for_good, Withholding)
        assert for_good.until is None

    def test_the_same_draft_again_answers_what_it_opened_even_once_it_is_over(self) -> None:
        first = opened(wanted())
        assert isinstance(first, Withholding)
        over = release(first, BUYER, NOW)
        assert isinstance(over, Withholding)
        assert opened(wanted(), there=[over], settled=frozenset({1})) == over
        assert isinstance(opened(wanted(line_no=2), there=[first]), IdReused)
        assert isinstance(opened(wanted(), MEMBER, [first]), IdReused)

    @pytest.mark.parametrize(
        ("asker", "may"), [(BUYER, Withholding), (OPERATOR, Withholding), (MEMBER, Forbidden), (STRANGER, NotFound)]
    )
    def test_who_opened_it_or_an_operator_releases_it(self, asker: Asker, may: type) -> None:
        first = opened(wanted())
        assert isinstance(first, Withholding)
        assert isinstance(release(first, asker, NOW), may)

    def test_releasing_again_changes_nothing(self) -> None:
        first = opened(wanted())
        assert isinstance(first, Withholding)
        over = release(first, OPERATOR, NOW)
        assert isinstance(over, Withholding)
        assert not is_open(over)
        assert release(over, BUYER, NOW + timedelta(days=1)) == over
        assert isinstance(release(None, OPERATOR, NOW), NotFound)


def sale(as_it_stands: Settled, **changes: object) -> Sale:
    values = {
        "shop_id": SHOP,
        "shop_name": "乘风小店",
        "order_id": ORDER,
        "line_no": 1,
        "title": "雨伞",
        "spec": "红",
        "quantity": 1,
        "paid_at": NOW,
        "settled_at": None,
        "part": "creator",
        "state": "estimated",
        "withheld": False,
        "reason": "placement",
        "held": as_it_stands.held,
        "terms": as_it_stands.terms,
        "settled": None,
        "clawed_back_fen": 0,
        "plan_id": None,
        "plan_version": None,
    }
    return Sale(**(values | changes))  # type: ignore[arg-type]


class TestEarnings:
    @given(settlements(), st.sampled_from(["creator", "mcn", "agency"]))
    def test_an_estimate_is_what_settling_as_it_stands_would_bring(self, settled: Settled, part: str) -> None:
        estimated = earning(sale(settled, part=part))
        over = earning(sale(settled, part=part, state="settled", settled=settled.shares, settled_at=NOW))
        assert estimated.estimated_fen == over.settled_fen == share_of(part, settled.shares)  # type: ignore[arg-type]
        assert estimated.settled_fen == over.estimated_fen == 0
        assert estimate(part, settled.held, settled.terms) == over.settled_fen  # type: ignore[arg-type]

    def test_what_earns_nothing_says_why_in_both_languages(self) -> None:
        held = Held(Fen(9800), Fen(9800), Fen(9800))
        lost = sale(Settled(held, TERMS, share_line(held, TERMS)), state="not_earned", reason="later_click_decided")
        assert why(lost).en == "You earn nothing of this line: a later click on another creator's link decided."
        assert why(lost).zh == "该订单行没有收益：其他达人的链接有更晚的有效点击。"
        assert earning(lost).formula is None
        assert why(sale(Settled(held, TERMS, share_line(held, TERMS)), reason="of_old")).en.endswith("any more.")
