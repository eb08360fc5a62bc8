"""Statements, earnings, withholdings and closed months over real HTTP: one's own are there, others' are not."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from served import Client, Server

from deals import creator, ordered, picked, published, received, refunded, settled
from fairwind.identity import grant_membership
from fairwind.kernel import PersonId, ShopId, uuid7
from fairwind.orders import Order
from fairwind.settlement.period import month_of
from fairwind.settlement.spreadsheet import COLUMNS
from market import WINDOW, open_shop

TITLE = "=1+1 <b>雨伞</b>"
"""What a shop may call its goods, and neither a spreadsheet nor a browser may act on."""


@dataclass
class Trade:
    """A sale that a creator made, settled now plus the after-sales window and partly given back an hour later."""

    server: Server
    shop_id: ShopId
    member: Client
    host: Client
    buyer: Client
    operator: Client
    order: Order
    month: str

    def statement(self, who: Client, suffix: str = "", **query: Any) -> Any:
        return who.get(f"/payees/creator/{self.host.id}/statement{suffix}", params={"period": self.month} | query)

    def of_shop(self, who: Client, suffix: str = "", **query: Any) -> Any:
        return who.get(f"/shops/{self.shop_id}/statement{suffix}", params={"period": self.month} | query)


@pytest.fixture(scope="module")
def trade(server: Server) -> Trade:
    database, now = server.platform.database, server.clock.now()
    buyer, member, operator = server.someone("buyer"), server.someone("merchant"), server.someone("operator")

    async def made() -> tuple[ShopId, PersonId, Order, datetime]:
        shop, host = await open_shop(database, 99), await creator(database)
        await published(database, shop, 200_000)
        await picked(database, shop, host)
        async with database.transaction() as tx:
            await tx.execute("UPDATE catalog.product SET title = %s WHERE shop_id = %s", (TITLE, shop.id))
            await grant_membership(tx, shop.id, PersonId(member.id), now)
        placed = await ordered(database, shop, 2, by=host, now=now, buyer_id=PersonId(buyer.id))
        order = await received(database, placed, now)
        over = now + WINDOW
        await settled(database, shop.id, over)
        await refunded(database, order, (1, 3300), now=over + timedelta(seconds=1))
        return shop.id, host, order, over

    shop_id, host_id, order, over = server.run(made())
    month = month_of(over).name
    return Trade(server, shop_id, member, server.signed_in(host_id), buyer, operator, order, month)


class TestStatements:
    def test_a_creator_reads_their_own_with_every_formula(self, trade: Trade) -> None:
        answer = trade.statement(trade.host).raise_for_status().json()
        heading = answer["heading"]
        assert (heading["payee_kind"], heading["payee_id"]) == ("creator", trade.host.id)
        assert [line["formula"]["en"] for line in answer["items"]] == [
            "commission 20 % of base 19,800 fen = 3,960 fen; alliance fee 10 % of it = 396 fen; yours 3,564 fen",
            "returned 3,300 of 19,800 fen: floor(3,564 × 3,300 / 19,800) = 594 fen",
        ]
        assert answer["sums"]["closing_fen"] == 3564 - 594
        assert answer["agrees_with_ledger"] is True
        assert answer["next_cursor"] is None

    def test_another_creator_a_member_and_nobody_are_refused(self, trade: Trade) -> None:
        for who in (trade.server.someone("creator"), trade.member, trade.buyer):
            for suffix in ("", ".csv", ".html"):
                assert trade.statement(who, suffix).json()["code"] == "forbidden"
        assert trade.statement(trade.server.client()).json()["code"] == "sign_in_needed"
        assert trade.statement(trade.operator).status_code == 200

    def test_a_shops_statement_is_for_its_members_and_operators(self, trade: Trade) -> None:
        assert trade.of_shop(trade.member).json()["sums"]["entries"] == 2
        assert trade.of_shop(trade.operator).status_code == 200
        for who in (trade.host, trade.buyer, trade.server.someone("merchant")):
            assert trade.of_shop(who).json()["code"] == "forbidden"

    def test_the_platforms_statement_is_for_operators(self, trade: Trade) -> None:
        query = {"period": trade.month, "limit": 100}
        for suffix in ("", ".csv", ".html"):
            answer = trade.operator.get(f"/platform/statement{suffix}", params={"period": trade.month})
            assert answer.status_code == 200
            assert trade.host.get(f"/platform/statement{suffix}").json()["code"] == "forbidden"
        mine, cursor = [], None
        while True:
            page = trade.operator.get(
                "/platform/statement", params=query | ({"cursor": cursor} if cursor else {})
            ).json()
            mine += [line for line in page["items"] if line["shop_id"] == trade.shop_id]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert [(line["item"], line["amount_fen"]) for line in mine] == [
            ("alliance_fee", 396),
            ("service_fee", 396),
            ("alliance_fee", -66),
            ("service_fee", -66),
        ]

    def test_pages_go_on_where_they_ended(self, trade: Trade) -> None:
        first = trade.statement(trade.host, limit=1).json()
        second = trade.statement(trade.host, limit=1, cursor=first["next_cursor"]).json()
        whole = trade.statement(trade.host).json()
        assert [*first["items"], *second["items"]] == whole["items"]
        assert second["sums"] is None
        assert trade.statement(trade.host, cursor="nonsense").json()["code"] == "bad_cursor"

    def test_a_day_is_a_period_too_and_what_is_none_is_refused(self, trade: Trade) -> None:
        assert trade.statement(trade.host, period="2001-02-03").json()["sums"]["entries"] == 0
        for wrong in ("2020-13", "2020-02-30"):
            answer = trade.statement(trade.host, period=wrong)
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
        assert trade.statement(trade.host, period="now").json()["code"] == "invalid_query"

    @pytest.mark.parametrize("language", ["zh", "en"])
    def test_a_spreadsheet_parses_back_to_the_same_sums(self, trade: Trade, language: str) -> None:
        answer = trade.of_shop(trade.member, ".csv", lang=language).raise_for_status()
        sums = trade.of_shop(trade.member).json()["sums"]
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"] == f'attachment; filename="shop-{trade.shop_id}-{trade.month}.csv"'
        assert answer.content.startswith(b"\xef\xbb\xbf")
        header, *rows = csv.reader(StringIO(answer.content.decode("utf-8-sig")))
        amount, balance, goods = (list(COLUMNS).index(name) for name in ("amount_fen", "balance_fen", "goods"))
        assert header == [words[language] for words in COLUMNS.values()]  # type: ignore[index]
        entries = [row for row in rows if row[amount]]
        assert len(entries) == sums["entries"]
        assert int(rows[0][balance]) + sum(int(row[amount]) for row in entries) == int(rows[-1][balance])
        assert int(rows[-1][balance]) == sums["closing_fen"]
        assert entries[0][goods] == f"'{TITLE} 标准"

    def test_the_page_speaks_the_browsers_language_or_the_one_asked_for(self, trade: Trade) -> None:
        chinese = trade.of_shop(trade.member, ".html").text
        english = trade.member.get(
            f"/shops/{trade.shop_id}/statement.html?period={trade.month}", headers={"Accept-Language": "fr, en;q=0.8"}
        ).text
        asked = trade.of_shop(trade.member, ".html", lang="en").text
        assert 'lang="zh-CN"' in chinese
        assert "结算单" in chinese
        assert 'lang="en"' in english
        assert "paid 19,800 − service fee 396 − commission 3,960 = 15,444 fen" in english
        assert "154.44" in english
        assert asked.partition("<dl")[2] == english.partition("<dl")[2]

    def test_the_page_runs_nothing_and_shows_titles_as_they_are(self, trade: Trade) -> None:
        answer = trade.of_shop(trade.member, ".html")
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        policies = answer.headers.get_list("content-security-policy")
        assert any("default-src 'none'; style-src 'sha256-" in policy for policy in policies)
        assert "<script" not in answer.text
        assert "<b>雨伞</b>" not in answer.text
        assert "&lt;b&gt;雨伞&lt;/b&gt;" in answer.text

    def test_a_period_without_entries_says_so(self, trade: Trade) -> None:
        assert "本期没有条目" in trade.statement(trade.host, ".html", period="2001-02").text
        answer = trade.statement(trade.host, ".csv", period="2001-02").content.decode("utf-8-sig")
        assert len(answer.splitlines()) == 2


class TestEarnings:
    def test_a_creator_sees_what_each_line_brought_and_why(self, trade: Trade) -> None:
        trade.server.run(trade.server.platform.relay.drain())
        [line] = trade.host.get("/earnings").raise_for_status().json()["items"]
        assert (line["state"], line["settled_fen"], line["clawed_back_fen"]) == ("settled", 3564, 594)
        assert line["why"]["zh"] == "该订单行有收益：从该达人在平台内的展示位下单。"
        assert line["terms"]["creator_ppm"] == 200_000
        assert trade.host.get("/earnings", params={"state": "estimated"}).json()["items"] == []
        assert trade.host.get("/earnings", params={"period": "2001-02"}).json()["items"] == []
        totals = trade.host.get("/earnings/totals").json()
        assert totals == {
            "estimated_fen": 0,
            "settled_fen": 3564,
            "clawed_back_fen": 594,
            "paid_out_fen": 0,
            "owed_fen": 2970,
        }

    def test_nobody_else_sees_them(self, trade: Trade) -> None:
        assert trade.server.someone("creator").get("/earnings").json() == {"items": [], "next_cursor": None}
        assert trade.buyer.get("/earnings").json()["code"] == "forbidden"
        agency = trade.server.someone("agency")
        assert agency.get("/agency-earnings").json()["items"] == []
        assert agency.get("/agency-earnings/totals").json()["settled_fen"] == 0
        assert trade.host.get("/agency-earnings").json()["code"] == "forbidden"


class TestWithholdings:
    @pytest.fixture
    def order(self, trade: Trade) -> Order:
        """Another order of the buyer's, received and not settled."""
        database, now = trade.server.platform.database, trade.server.clock.now()

        async def made() -> Order:
            shop = await open_shop(database, 9)
            async with database.transaction() as tx:
                await grant_membership(tx, shop.id, PersonId(trade.member.id), now)
            placed = await ordered(database, shop, now=now, buyer_id=PersonId(trade.buyer.id))
            return await received(database, placed, now)

        return trade.server.run(made())

    def draft(self, trade: Trade, reason: str = "dispute") -> dict[str, Any]:
        return {"id": str(uuid7(trade.server.clock.now())), "line_no": 1, "reason": reason, "note": "货不对板"}

    def test_a_buyer_disputes_a_line_and_an_operator_releases_it(self, trade: Trade, order: Order) -> None:
        place, draft = f"/shops/{order.shop_id}/orders/{order.id}/withholdings", self.draft(trade)
        opened = trade.buyer.post(place, json=draft).raise_for_status().json()
        assert trade.buyer.post(place, json=draft).json() == opened
        assert trade.buyer.post(place, json=self.draft(trade)).json()["code"] == "already_withheld"
        assert trade.buyer.post(place, json=self.draft(trade, "price_protection")).json()["code"] == "forbidden"
        assert trade.member.post(place, json=self.draft(trade, "price_protection")).status_code == 201
        assert [each["reason"] for each in trade.buyer.get(place).json()] == ["dispute", "price_protection"]
        release = f"/shops/{order.shop_id}/withholdings/{opened['id']}/release"
        assert trade.member.put(release).json()["code"] == "forbidden"
        assert trade.server.someone("buyer").put(release).json()["code"] == "not_found"
        released = trade.operator.put(release).raise_for_status().json()
        assert released["released_by"] == trade.operator.id
        listed = trade.member.get(f"/shops/{order.shop_id}/withholdings", params={"only_open": True}).json()["items"]
        assert [each["reason"] for each in listed] == ["price_protection"]
        everywhere = trade.operator.get("/withholdings", params={"limit": 100}).json()["items"]
        assert opened["id"] not in [each["id"] for each in everywhere]
        assert listed[0] in everywhere

    def test_strangers_see_and_open_none(self, trade: Trade, order: Order) -> None:
        place = f"/shops/{order.shop_id}/orders/{order.id}/withholdings"
        stranger = trade.server.someone("buyer", "merchant", "creator")
        assert stranger.get(place).json()["code"] == "not_found"
        assert stranger.post(place, json=self.draft(trade)).json()["code"] == "not_found"
        assert stranger.get("/withholdings").json()["code"] == "forbidden"

    def test_what_has_settled_is_not_withheld(self, trade: Trade) -> None:
        place = f"/shops/{trade.shop_id}/orders/{trade.order.id}/withholdings"
        assert trade.buyer.post(place, json=self.draft(trade)).json()["code"] == "already_settled"


class TestPeriods:
    def test_operators_see_which_months_are_closed(self, trade: Trade) -> None:
        server = trade.server
        server.run(server.platform.provided["periods"].close_periods())
        listed = trade.operator.get("/periods", params={"limit": 3}).raise_for_status().json()
        names = [each["period"] for each in listed["items"]]
        assert names == sorted(names, reverse=True)
        assert trade.host.get("/periods").json()["code"] == "forbidden"
        for name in names:
            assert trade.operator.get(f"/periods/{name}/statements").status_code == 200
        assert trade.operator.get("/periods/2999-12/statements").json()["code"] == "not_found"
        assert trade.operator.get("/periods/never/statements").status_code == 404
