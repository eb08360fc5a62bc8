"""The demo's pictures: they fit a terminal, speak both languages, and say what the figures say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType

from fairwind.demo.figures import (
    BANDS_YUAN,
    Band,
    Count,
    Figures,
    Given,
    Hot,
    PaidOut,
    Proceeds,
    Seller,
    Step,
    Story,
    share_ppm,
)
from fairwind.demo.report import battle_report, channels, creators, fen_by_fen, money_out, statement, why
from fairwind.demo.view import Frame, line, percent, picture, sparkline
from fairwind.demo.words import Language, tongue
from fairwind.kernel import FEN_MAX, Fen

WIDTH, HEIGHT = 80, 24
AT = datetime(2020, 6, 18, 12, tzinfo=UTC)


def count(orders: int, fen: int) -> Count:
    return Count(orders, Fen(fen))


FIGURES = Figures(
    placed=count(2184, 123_456_789),
    paid=count(1702, 98_765_432),
    refunded=count(133, 1_234_567),
    cancelled=count(90, 4455),
    timed_out=count(12, 333),
    shipped_orders=700,
    received_orders=300,
    buyers=1500,
    per_second=[0, 3, 120, 500, 1200, 90],
    bands=[Band(50, Fen(1)), Band(20, Fen(2)), Band(10, Fen(3)), Band(15, Fen(40)), Band(5, Fen(60))],
    hot=[
        Hot("母亲节礼物-舒适安睡组合 很长的标题很长的标题", Fen(99_900), 300, 0, 0),
        Hot("Umbrella", Fen(9900), 200, 120, 30),
        Hot("椅子", Fen(39_900), 200, 200, 0),
        Hot("灯", Fen(39_900), 1, 1, 0),
        Hot("碗", Fen(39_900), 100, 0, 100),
    ],
)
FRAME = Frame("618 好物专场", 6.2, False, FIGURES, 12_345, {"over_buyer_limit": 40, "out_of_stock": 2311}, 38.2)
STORY = Story(
    shop_id=1,
    shop_name="乘风优选",
    order_id=UUID(int=7),
    state="received",
    title="懒人椅",
    spec="标准",
    quantity=2,
    price_fen=Fen(39_900),
    goods_fen=Fen(79_800),
    subsidy_fen=Fen(0),
    freight_fen=Fen(800),
    total_fen=Fen(80_600),
    refunded_fen=Fen(39_900),
    moments=[("placed", AT), ("paid", AT + timedelta(seconds=2)), ("shipped", AT), ("received", AT)],
    steps=[
        Step(AT, "provider", "escrow", Fen(80_600), "paid"),
        Step(AT, "escrow", "buyer_refund", Fen(39_900), "refund_agreed"),
        Step(AT, "buyer_refund", "provider", Fen(39_900), "refund_paid"),
    ],
)


PROCEEDS = Proceeds(
    orders=246,
    paid_fen=Fen(17_632_324),
    subsidy_fen=Fen(42_532),
    returned_fen=Fen(35_266),
    subsidy_returned_fen=Fen(1000),
    service_fee_fen=Fen(957_577),
    creator_fen=Fen(1_649_727),
    alliance_fee_fen=Fen(261_729),
    agency_fen=Fen(706_862),
    shop_fen=Fen(13_962_695),
    supplier_fen=Fen(100_000),
)
NOTHING = Proceeds(0, *[Fen(0)] * 10)
GIVEN = Given(7, 2)
LINE: dict[str, Any] = {
    "line_no": 1,
    "state": "settled",
    "fee_ppm": 20_000,
    "fee_reason_en": "service fee of suppliers, schedule 1",
    "fee_reason_zh": "供应商技术服务费（费率表第 1 版）",
    "creator_ppm": 100_000,
    "attribution_en": "it was bought from where this creator showed it on the platform",
    "attribution_zh": "从该达人在平台内的展示位下单",
    "grants": [{"amount_fen": 495}, {"amount_fen": 495}],
    "shares": {
        "base_fen": 5868,
        "escrow_fen": 5868,
        "service_fee_fen": 117,
        "creator_fen": 370,
        "alliance_fee_fen": 58,
        "mcn_fen": 158,
        "agency_fen": 0,
        "seller_fen": 5165,
    },
    "returned_fen": 100,
}
FREIGHT = LINE | {"line_no": 0, "grants": [], "creator_ppm": None, "state": "estimated", "returned_fen": 0}
CREATORS = [
    {"name": "小" * 20, "links": links, "clicks": 9_999_999, "orders": 9_999_999}
    | {"settled_fen": 10**12, "clawed_back_fen": 10**10, "paid_out_fen": 10**12}
    for links in (True, False)
]
CHANNELS = {
    "price_fen": 9900,
    "rows": [
        {"reason_en": f"service fee of {name} shops, schedule 1", "reason_zh": f"{name}店铺技术服务费", "fee_fen": 792}
        | {"channel": name, "new": name == "own"}
        | {"commission_fen": 990, "net_fen": 8118}
        for name in ("own", "youzan")
    ],
}
STATEMENT = {
    "heading": {"name": "京选自营仓", "period": {"name": "2020-07"}},
    "sums": {"opening_fen": -19_948, "settled_fen": 374_303, "clawed_back_fen": 0, "subsidised_fen": 0}
    | {"subsidy_returned_fen": 1130, "swept_fen": -355_485, "closing_fen": 0, "entries": 89},
    "items": [
        {"formula": {"en": "base 9,800 fen × 2 % = 196 fen", "zh": "基数 9,800 分 × 2 % = 196 分"}, "amount_fen": 196}
    ]
    * 9,
    "agrees_with_ledger": True,
    "address": "http://127.0.0.1:8000/shops/1/statement.html?period=2020-07",
    "login": "merchant-1@demo",
}


def shown(thing: RenderableType) -> str:
    console = Console(width=WIDTH, force_terminal=False)
    with console.capture() as capture:
        console.print(thing)
    return capture.get()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("over", [False, True])
def test_the_view_fits_a_terminal_of_80_by_24_in_both_languages(language: Language, over: bool) -> None:
    frame = Frame(FRAME.title, 600, over, FIGURES, 9_999_999, {"out_of_stock": 9_999_999}, 9999)

    rows = shown(picture(frame, tongue(language))).splitlines()

    assert len(rows) <= HEIGHT
    assert all(cell_len(row) <= WIDTH for row in rows)


def test_the_view_shows_the_figures() -> None:
    text = shown(picture(FRAME, tongue("en")))

    for expected in ("1,234,567.89", "987,654.32", "12,345.67", "975,308.65", "peak 1,200", "now 90", "SOLD OUT"):
        assert expected in text
    assert text.index("out_of_stock 2,311") < text.index("over_buyer_limit 40")


def test_without_a_terminal_progress_is_a_line() -> None:
    text = line(FRAME, tongue("en"))

    assert text == "00:06  placed 2,184 (peak 1,200/s)  paid 1,702  net 975,308.65 yuan  sold out 2/5  refused 2,351"


def test_a_sale_that_has_not_begun_is_shown_too() -> None:
    nothing = count(0, 0)
    empty = Figures(nothing, nothing, nothing, nothing, nothing, 0, 0, 0, [], [Band(0, Fen(0))] * 5, [])

    assert shown(picture(Frame("x", 0.0, False, empty, 0, {}, 0), tongue("zh")))
    assert shown(battle_report("x", empty, [], NOTHING, GIVEN, tongue("zh")))
    assert shown(fen_by_fen(None, tongue("zh")))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_fits_80_columns_in_both_languages(language: Language) -> None:
    say = tongue(language)
    sellers = [Seller("很长的标题" * 20, 10**6, 10**6, FEN_MAX, FEN_MAX)] * 10

    for thing in (
        battle_report("618", FIGURES, sellers, PROCEEDS, GIVEN, say),
        money_out([PaidOut("shop", 1, "很长的店名" * 20, 9, FEN_MAX), PaidOut("platform", 0, "", 1, Fen(5))], say),
        fen_by_fen(STORY, say),
        why([FREIGHT, LINE], say, language),
        creators(CREATORS, say),
        channels(CHANNELS, say, language),
        statement(STATEMENT, say, language),
    ):
        assert all(cell_len(row) <= WIDTH for row in shown(thing).splitlines())


def test_the_report_tells_the_share_of_dear_goods_by_count_and_by_gmv() -> None:
    text = " ".join(shown(battle_report("618", FIGURES, [], PROCEEDS, GIVEN, tongue("en"))).replace("│", "").split())

    assert "20.0 % of the goods paid for, 94.3 % of their GMV" in text
    assert "1,200 orders in one second" in text


def test_the_report_tells_what_settled_and_where_it_went_without_a_fen_lost() -> None:
    text = " ".join(shown(battle_report("618", FIGURES, [], PROCEEDS, GIVEN, tongue("en"))).replace("│", "").split())

    assert sum(PROCEEDS.earned().values()) == PROCEEDS.kept_fen
    assert "Settled GMV 176,385.90 yuan" in text
    assert "7 orders gave something back late, 2 after they had settled" in text


def test_a_statement_shows_each_different_formula_once_and_whether_it_agrees_with_the_ledger() -> None:
    text = shown(statement(STATEMENT, tongue("en"), "en"))

    assert text.count("= 196 fen") == 1
    assert "agrees with the ledger to the fen" in text
    assert "DISAGREES" in shown(statement(STATEMENT | {"agrees_with_ledger": False}, tongue("en"), "en"))


def test_an_order_followed_fen_by_fen_ends_in_balances_that_sum_to_zero() -> None:
    assert STORY.balances() == {"provider": -40_700, "escrow": 40_700, "buyer_refund": 0}
    assert "the sum is 0" in shown(fen_by_fen(STORY, tongue("en")))


def test_the_cut_for_dear_goods_is_one_of_the_price_bands() -> None:
    assert 500 in BANDS_YUAN
    assert list(BANDS_YUAN) == sorted(BANDS_YUAN)


@given(numbers=st.lists(st.integers(0, 10_000), max_size=60))
def test_a_sparkline_has_a_block_for_each_second_and_shows_all_but_zero(numbers: list[int]) -> None:
    blocks = sparkline(numbers)

    assert len(blocks) == len(numbers)
    assert [block == " " for block in blocks] == [number == 0 for number in numbers]


@given(whole=st.integers(0, 10**15), data=st.data())
def test_a_share_is_between_nothing_and_everything(whole: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(0, whole))

    assert 0 <= share_ppm(part, whole) <= 1_000_000
    assert percent(share_ppm(whole, whole)) == ("100.0" if whole else "0.0")
