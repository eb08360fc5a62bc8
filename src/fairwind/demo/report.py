"""The battle report of a live session. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from fairwind.demo.figures import DEAR_YUAN, Figures, Seller, Story, share_ppm
from fairwind.demo.view import bands, money, percent
from fairwind.demo.words import Say
from fairwind.kernel import format_yuan

_NOTE = (
    "Amounts are goods and freight. Placed counts every order, also those never paid; refunded is money agreed to go "
    "back; net is paid less refunded. All are computed from the rows of orders and ledger."
)


def battle_report(title: str, figures: Figures, sellers: Sequence[Seller], say: Say) -> RenderableType:
    """What a session sold, all kinds of GMV side by side."""
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


def fen_by_fen(story: Story | None, say: Say) -> RenderableType:
    """One order followed through its shop's book, from the first transfer to where its money is now."""
    title = f" {say('One order, fen by fen')} "
    if story is None:
        return Panel(say("No order of this session was paid."), title=title, box=box.ROUNDED)
    sums = say("goods {goods} + freight {freight} = {total} yuan").format(
        goods=format_yuan(story.goods_fen), freight=format_yuan(story.freight_fen), total=format_yuan(story.total_fen)
    )
    parts: list[RenderableType] = [
        Text(say("Order {id} of {shop}").format(id=story.order_id, shop=story.shop_name), "bold"),
        Text(f"{story.quantity} × {story.title} ({story.spec}), {format_yuan(story.price_fen)}"),
        Text(sums),
        Text(" → ".join(f"{say(name)} {at:%H:%M:%S}" for name, at in story.moments) + " UTC"),
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
            f"{step.made_at:%H:%M:%S}",
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
