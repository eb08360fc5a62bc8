"""The terminal view of a live session: a picture for terminals, lines of progress for everything else. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec
from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from fairwind.demo.figures import BANDS_YUAN, Figures, Hot, share_ppm
from fairwind.demo.words import Say
from fairwind.kernel import format_yuan

_BLOCKS = " ▁▂▃▄▅▆▇█"
_BAR = 18
_SPARKS = 32


class Frame(msgspec.Struct, frozen=True):
    """What one picture shows. refusals: by code."""

    title: str
    elapsed_s: float
    over: bool
    figures: Figures
    requests: int
    refusals: Mapping[str, int]
    p99_ms: float


def picture(frame: Frame, say: Say) -> RenderableType:
    """The view; made for 80 columns and 24 rows."""
    sections = [
        _pace(frame, say),
        money(frame.figures, say),
        _stock(frame.figures.hot, say),
        bands(frame.figures, say),
        _traffic(frame, say),
    ]
    spaced = [part for section in sections for part in (section, Text())][:-1]
    state = Text(say("ended"), "dim") if frame.over else Text(f"● {say('LIVE')}", "bold red")
    title = Text.assemble(" 乘风 Fairwind · ", frame.title, " · ", state, f" {_clock(frame.elapsed_s)} ")
    return Panel(Group(*spaced), title=title, box=box.ROUNDED, border_style="blue", padding=(0, 2))


def line(frame: Frame, say: Say) -> str:
    """One line of progress."""
    figures = frame.figures
    sold_out = sum(hot.available_quantity == 0 for hot in figures.hot)
    return (
        f"{_clock(frame.elapsed_s)}  {say('placed')} {figures.placed.orders:,}"
        f" ({say('peak')} {figures.peak_per_s:,}/s)  {say('paid')} {figures.paid.orders:,}"
        f"  {say('net')} {format_yuan(figures.net_fen)} {say('yuan')}"
        f"  {say('sold out')} {sold_out}/{len(figures.hot)}  {say('refused')} {sum(frame.refusals.values()):,}"
    )


def _pace(frame: Frame, say: Say) -> RenderableType:
    seconds = int(frame.elapsed_s)
    per_second = [*frame.figures.per_second, *[0] * (seconds - len(frame.figures.per_second))]
    last = per_second[seconds - 1] if seconds else 0  # the running second is not over yet
    return Text.assemble(
        (f"{say('orders a second')}  ", "bold"),
        (sparkline(_fitted(per_second)), "cyan"),
        f"  {say('now')} ",
        (f"{last:,}", "bold"),
        f" · {say('peak')} ",
        (f"{frame.figures.peak_per_s:,}", "bold"),
        overflow="crop",
        no_wrap=True,
    )


def sparkline(numbers: Sequence[int]) -> str:
    """numbers as a row of blocks; whatever is not zero is seen."""
    top = max(numbers, default=0) or 1
    steps = len(_BLOCKS) - 1
    return "".join(_BLOCKS[-(-number * steps // top)] for number in numbers)


def _fitted(per_second: Sequence[int]) -> Sequence[int]:
    """per_second in at most _SPARKS numbers: seconds stand together when there are more, and the busiest counts."""
    step = -(-len(per_second) // _SPARKS) or 1
    return [max(per_second[start : start + step]) for start in range(0, len(per_second), step)]


def money(figures: Figures, say: Say) -> RenderableType:
    """Placed, paid, refunded and net side by side."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, expand=True)
    table.add_column()
    columns = (("placed", ""), ("paid", "green"), ("refunded", "red"), ("net", "bold"))
    for name, style in columns:
        table.add_column(say(name), justify="right", header_style="bold", style=style, no_wrap=True)
    counted = (figures.placed, figures.paid, figures.refunded)
    table.add_row(say("orders"), *(f"{count.orders:,}" for count in counted), "")
    amounts = [format_yuan(amount) for amount in (*(count.amount_fen for count in counted), figures.net_fen)]
    table.add_row(say("GMV, yuan"), *amounts)
    return table


def _stock(hot: Sequence[Hot], say: Say) -> RenderableType:
    table = Table(box=None, padding=(0, 1), pad_edge=False, expand=True)
    table.add_column(say("flash goods"), header_style="bold", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column(say("price"), header_style="bold", justify="right", no_wrap=True)
    table.add_column(width=_BAR, no_wrap=True)
    table.add_column(say("left"), header_style="bold", justify="right", no_wrap=True)
    for one in hot:
        left = Text(f"{one.available_quantity:,}/{one.offered_quantity:,}")
        if one.available_quantity == 0:
            left = Text(say("SOLD OUT"), "bold red")
        table.add_row(one.title, format_yuan(one.price_fen), _stock_bar(one), left)
    return table


def _stock_bar(hot: Hot) -> Text:
    whole = max(hot.offered_quantity, 1)
    free = -(-hot.available_quantity * _BAR // whole)
    held = min(-(-hot.held_quantity * _BAR // whole), _BAR - free)
    return Text.assemble(("█" * free, "green"), ("▒" * held, "yellow"), ("░" * (_BAR - free - held), "dim"))


def bands(figures: Figures, say: Say) -> RenderableType:
    """How the goods paid for spread over the prices."""
    labels = [
        say("under {yuan}").format(yuan=f"{BANDS_YUAN[0]:,}"),
        *(f"{low:,} – {high:,}" for low, high in pairwise(BANDS_YUAN)),
        say("{yuan} and above").format(yuan=f"{BANDS_YUAN[-1]:,}"),
    ]
    table = Table(box=None, padding=(0, 1), pad_edge=False, expand=True)
    table.add_column(say("goods paid for, by price"), header_style="bold", no_wrap=True, ratio=1)
    table.add_column(width=_BAR, no_wrap=True)
    table.add_column(say("pieces"), header_style="bold", justify="right", no_wrap=True)
    table.add_column("%", header_style="bold", justify="right", no_wrap=True)
    whole = figures.all_bands.quantity
    top = max((band.quantity for band in figures.bands), default=0) or 1
    for label, band in zip(labels, figures.bands, strict=True):
        bar = "█" * -(-band.quantity * _BAR // top)
        table.add_row(label, Text(bar, "magenta"), f"{band.quantity:,}", percent(share_ppm(band.quantity, whole)))
    return table


def _traffic(frame: Frame, say: Say) -> RenderableType:
    refused = " · ".join(
        f"{code} {count:,}" for code, count in sorted(frame.refusals.items(), key=lambda item: -item[1])
    )
    return Group(
        Text.assemble((f"{say('refused')}  ", "bold"), refused or say("nothing refused")),
        Text.assemble(
            (f"{say('requests')}  ", "bold"), f"{frame.requests:,} · {say('placing takes (p99)')} {frame.p99_ms:.0f} ms"
        ),
    )


def percent(share: int) -> str:
    """Parts per million as percent with one digit, rounded down: 353,999 as 35.3."""
    return f"{share // 10_000}.{share // 1000 % 10}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"
