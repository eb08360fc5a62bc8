"""The battle report of a live session. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from fairwind.demo.figures import DEAR_YUAN, Figures, Given, PaidOut, Proceeds, Seller, Story, share_ppm
from fairwind.demo.view import bands, money, percent
from fairwind.demo.words import Language, Say
from fairwind.kernel import CHINA, format_yuan

_NOTE = (
    "Amounts are goods and freight. Placed counts every order, also those never paid; refunded is money agreed to go "
    "back; net is paid less refunded. All are computed from the rows of orders and ledger."
)
_LINES_SHOWN = 6
_BAR = 24


def battle_report(
    title: str, figures: Figures, sellers: Sequence[Seller], proceeds: Proceeds, given: Given, say: Say
) -> RenderableType:
    """What a session sold, all kinds of GMV side by side, and where the money went when it settled."""
    dear, whole = figures.dear, figures.all_bands
    heading = say("Goods at {yuan} yuan and above").format(yuan=DEAR_YUAN)
    facts = Text.assemble(
        (f"{heading}  ", "bold"),
        f"{percent(share_ppm(dear.quantity, whole.quantity))} % {say('of the goods paid for')}, ",
        f"{percent(share_ppm(dear.goods_fen, whole.goods_fen))} % {say('of their GMV')}\n",
        (f"{say('Peak')}  ", "bold"),
        say("{n} orders in one second").format(n=f"{figures.peak_per_s:,}"),
    )
    parts = [
        money(figures, say),
        _states(figures, say),
        bands(figures, say),
        facts,
        _sellers(sellers, say),
        _settled(proceeds, given, say),
        Text(say(_NOTE), "dim"),
    ]
    spaced = [part for section in parts for part in (section, Text())][:-1]
    return Panel(Group(*spaced), title=f" {say('Battle report')} · {title} ", box=box.ROUNDED, padding=(1, 2))


def _states(figures: Figures, say: Say) -> RenderableType:
    counts = {
        "buyers": figures.buyers,
        "cancelled": figures.cancelled.orders,
        "timed out": figures.timed_out.orders,
        "shipped": figures.shipped_orders,
        "received": figures.received_orders,
    }
    return Text(" · ".join(f"{say(name)} {count:,}" for name, count in counts.items()))


def _sellers(sellers: Sequence[Seller], say: Say) -> RenderableType:
    table = Table(box=None, padding=(0, 1), pad_edge=False, expand=True)
    table.add_column(say("Top goods"), header_style="bold", no_wrap=True, overflow="ellipsis", ratio=1)
    for name in ("pieces", "GMV, yuan", "refunded"):
        table.add_column(say(name), header_style="bold", justify="right", no_wrap=True)
    for place, one in enumerate(sellers, 1):
        table.add_row(
            f"{place:>2} {one.title}", f"{one.quantity:,}", format_yuan(one.goods_fen), format_yuan(one.refunded_fen)
        )
    return table


def _settled(proceeds: Proceeds, given: Given, say: Say) -> RenderableType:
    """Settled GMV, and who has it now."""
    heading = Text.assemble(
        (f"{say('Settled GMV')}  ", "bold"),
        f"{format_yuan(proceeds.kept_fen)} {say('yuan')} · ",
        say("{n} orders; buyers paid {paid}, subsidies {subsidy}, gone back since {back}").format(
            n=f"{proceeds.orders:,}",
            paid=format_yuan(proceeds.paid_fen),
            subsidy=format_yuan(proceeds.subsidy_fen),
            back=format_yuan(proceeds.returned_fen + proceeds.subsidy_returned_fen),
        ),
        "\n",
        say("{late} orders gave something back late, {after} after they had settled").format(
            late=given.late, after=given.after_settlement
        ),
    )
    table = Table(box=None, padding=(0, 1), pad_edge=False, expand=True)
    table.add_column(say("where it went"), header_style="bold", no_wrap=True, ratio=1)
    table.add_column(width=_BAR, no_wrap=True)
    table.add_column(say("yuan"), header_style="bold", justify="right", no_wrap=True)
    table.add_column("%", header_style="bold", justify="right", no_wrap=True)
    for name, amount_fen in proceeds.earned().items():
        part = share_ppm(max(amount_fen, 0), proceeds.kept_fen)
        bar = Text("█" * -(-part * _BAR // 1_000_000), "green")
        table.add_row(say(name), bar, format_yuan(amount_fen), percent(part))
    return Group(heading, table)


def money_out(payouts: Sequence[PaidOut], say: Say) -> RenderableType:
    """Who was paid how much, debts and subsidies netted."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, expand=True)
    table.add_column(say("paid out to"), header_style="bold", no_wrap=True, ratio=1)
    for name in ("payouts", "yuan"):
        table.add_column(say(name), header_style="bold", justify="right", no_wrap=True)
    for each in payouts:
        table.add_row(f"{say(each.payee_kind)} {each.name}", f"{each.payouts:,}", format_yuan(each.amount_fen))
    return Panel(table, title=f" {say('Payouts so far')} ", box=box.ROUNDED, padding=(1, 2))


def creators(found: Sequence[dict[str, Any]], say: Say) -> RenderableType:
    """What each creator earned, from where."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, expand=True)
    table.add_column(say("creator"), header_style="bold", ratio=1)
    for name in ("clicks", "orders", "commission, yuan", "given back", "paid out"):
        table.add_column(say(name), header_style="bold", justify="right", no_wrap=True)
    for each in found:
        where = say("links" if each["links"] else "live")
        counts = [f"{each[key]:,}" if each["links"] else "" for key in ("clicks", "orders")]
        amounts = [format_yuan(each[key]) for key in ("settled_fen", "clawed_back_fen", "paid_out_fen")]
        table.add_row(f"{each['name']} · {where}", *counts, *amounts)
    return Panel(table, title=f" {say('Creators')} ", box=box.ROUNDED, padding=(1, 2))


def why(lines: Sequence[dict[str, Any]], say: Say, language: Language) -> RenderableType:
    """Why each line of an order brought its fee and its commission, and who got how much."""
    parts: list[RenderableType] = []
    for line in lines:
        name = say("freight") if line["line_no"] == 0 else say("line {n}").format(n=line["line_no"])
        shares = line["shares"]
        rates = [
            f"{say('service fee')} {percent(line['fee_ppm'])} %: {line[f'fee_reason_{language}']}",
            f"{say('commission')} {percent(line['creator_ppm'] or 0)} %: {line[f'attribution_{language}']}",
        ]
        if line["line_no"] == 0:
            rates = rates[:1]
        if line["grants"]:
            given = " + ".join(f"{grant['amount_fen']:,}" for grant in line["grants"])
            rates.append(f"{say('subsidy, by funder')}: {given} {say('fen')}")
        table = Table(box=None, padding=(0, 1), pad_edge=False, expand=True)
        table.add_column(
            say("base {base}, in escrow {escrow}").format(
                base=f"{shares['base_fen']:,}", escrow=f"{shares['escrow_fen']:,}"
            ),
            ratio=1,
        )
        table.add_column(say("fen"), header_style="bold", justify="right", no_wrap=True)
        for key, label in _SHARES.items():
            if shares[key]:
                table.add_row(say(label), f"{shares[key]:,}")
        if line["returned_fen"]:
            table.add_row(say("given back to the buyer since"), f"{line['returned_fen']:,}")
        parts += [Text(f"{name} · {say(line['state'])}", "bold"), *map(Text, rates), table, Text()]
    return Panel(Group(*parts[:-1]), title=f" {say('Why so much to whom')} ", box=box.ROUNDED, padding=(1, 2))


_SHARES = {
    "service_fee_fen": "service fee",
    "creator_fen": "creator",
    "alliance_fee_fen": "alliance fee",
    "mcn_fen": "MCN",
    "agency_fen": "agency",
    "seller_fen": "seller",
}


def channels(found: dict[str, Any], say: Say, language: Language) -> RenderableType:
    """What the same good nets through each channel."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, expand=True)
    table.add_column(say("channel"), header_style="bold", ratio=1)
    for name in ("service fee", "commission", "net, yuan"):
        table.add_column(say(name), header_style="bold", justify="right", no_wrap=True)
    for row in found["rows"]:
        amounts = [format_yuan(row[key]) for key in ("fee_fen", "commission_fen", "net_fen")]
        channel = say(row["channel"]) + (f", {say('new shop')}" if row["new"] else "")
        table.add_row(f"{channel} · {row[f'reason_{language}']}", *amounts)
    title = say("The same good for {price} yuan through each channel").format(price=format_yuan(found["price_fen"]))
    return Panel(table, title=f" {title} ", box=box.ROUNDED, padding=(1, 2))


def statement(found: dict[str, Any], say: Say, language: Language) -> RenderableType:
    """The head of a payee's statement: its sums, a few different lines with their formulas, and where to read on."""
    sums = found["sums"]
    line = " · ".join(
        f"{say(label)} {format_yuan(sums[key])}" for key, label in _SUMS.items() if sums[key] or key == "closing_fen"
    )
    table = Table(box=None, padding=(0, 1), pad_edge=False, expand=True)
    table.add_column(say("how it comes about"), header_style="bold", ratio=1, overflow="fold")
    table.add_column(say("fen"), header_style="bold", justify="right", no_wrap=True)
    different = {item["formula"][language]: item["amount_fen"] for item in found["items"]}
    for formula, amount_fen in list(different.items())[:_LINES_SHOWN]:
        table.add_row(formula, f"{amount_fen:,}")
    agrees = "agrees with the ledger to the fen" if found["agrees_with_ledger"] else "DISAGREES with the ledger"
    more = Text(f"… {sums['entries']:,} {say('lines')} · {say(agrees)}\n{found['address']}", "dim")
    more.append(f"\n{say('sign in as {login}').format(login=found['login'])}")
    title = say("Statement of {name}, {period}").format(
        name=found["heading"]["name"], period=found["heading"]["period"]["name"]
    )
    return Panel(Group(Text(line), table, more), title=f" {title} ", box=box.ROUNDED, padding=(1, 2))


_SUMS = {
    "opening_fen": "opening",
    "settled_fen": "earned",
    "clawed_back_fen": "clawed back",
    "subsidised_fen": "subsidies given",
    "subsidy_returned_fen": "subsidies returned",
    "swept_fen": "on its way out",
    "closing_fen": "closing",
}


def fen_by_fen(story: Story | None, say: Say) -> RenderableType:
    """One order followed through its shop's book, from the first transfer to where its money is now."""
    title = f" {say('One order, fen by fen')} "
    if story is None:
        return Panel(say("No order of this session was paid."), title=title, box=box.ROUNDED)
    sums = say("goods {goods} − subsidies {subsidy} + freight {freight} = {total} yuan").format(
        goods=format_yuan(story.goods_fen),
        subsidy=format_yuan(story.subsidy_fen),
        freight=format_yuan(story.freight_fen),
        total=format_yuan(story.total_fen),
    )
    parts: list[RenderableType] = [
        Text(say("Order {id} of {shop}").format(id=story.order_id, shop=story.shop_name), "bold"),
        Text(f"{story.quantity} × {story.title} ({story.spec}), {format_yuan(story.price_fen)}"),
        Text(sums),
        Text(" → ".join(f"{say(name)} {at.astimezone(CHINA):%m-%d %H:%M:%S}" for name, at in story.moments)),
        Text(),
        _steps(story, say),
        Rule(style="dim"),
        _balances(story, say),
    ]
    return Panel(Group(*parts), title=title, box=box.ROUNDED, padding=(1, 2))


def _steps(story: Story, say: Say) -> RenderableType:
    table = Table(box=None, padding=(0, 1), pad_edge=False, expand=True)
    for name in ("when", "why", "from", "to"):
        table.add_column(say(name), header_style="bold", no_wrap=True)
    table.add_column(say("fen"), header_style="bold", justify="right", no_wrap=True)
    for step in story.steps:
        table.add_row(
            f"{step.made_at.astimezone(CHINA):%m-%d %H:%M}",
            say(step.reason),
            say(step.debit_kind),
            say(step.credit_kind),
            f"{step.amount_fen:,}",
        )
    return table


def _balances(story: Story, say: Say) -> RenderableType:
    balances = story.balances()
    table = Table(box=None, padding=(0, 1), pad_edge=False, expand=True)
    table.add_column(
        say("What it moved in all; the sum is {sum}").format(sum=sum(balances.values())), header_style="bold", ratio=1
    )
    table.add_column(say("fen"), header_style="bold", justify="right", no_wrap=True)
    for kind, moved_fen in balances.items():
        table.add_row(say(kind), f"{moved_fen:,}")
    return table
