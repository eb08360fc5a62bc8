"""A statement as a page to read and to print, in Chinese or English: no scripts, and nothing from elsewhere.

The page is written piece by piece as the statement is read, so that a long one takes no more memory than a short one.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from html import escape
from importlib.resources import files

from fairwind.kernel import CHINA, format_yuan
from fairwind.kernel.words import Language, Words
from fairwind.settlement.formula import PARTS, formula
from fairwind.settlement.listing import Begun, Ended, Reading
from fairwind.settlement.spreadsheet import KIND_WORDS
from fairwind.settlement.statement import Entry, Heading, Sums

_WORDS: Mapping[str, Words] = {
    "html_lang": Words("en", "zh-CN"),
    "title": Words("Statement", "结算单"),
    "other": Words("中文", "English"),
    "platform": Words("Platform", "平台"),
    "shop": Words("Shop", "店铺"),
    "creator": Words("Creator", "达人"),
    "agency": Words("Agency", "机构"),
    "closed": Words("closed {}", "{} 已关账"),
    "open": Words("open: more may be entered until the period is closed", "未关账：关账前仍可能有新的条目"),
    "opening": Words("Opening balance", "期初余额"),
    "settled": Words("Settled", "结算"),
    "clawed_back": Words("Clawed back", "追回"),
    "subsidised": Words("Subsidies funded", "补贴支出"),
    "subsidy_returned": Words("Subsidies returned", "补贴退回"),
    "swept": Words("Swept to payouts", "归集打款"),
    "closing": Words("Closing balance", "期末余额"),
    "agrees": Words("{} entries; they sum to what the ledger says, to the fen.", "共 {} 条，与账本逐分一致。"),
    "differs": Words(
        "{} entries; they do not sum to what the ledger says. Ask the platform before you rely on them.",
        "共 {} 条，与账本不一致，请先联系平台核对。",
    ),
    "book": Words("Book of shop {}", "店铺 {} 的账簿"),
    "entries": Words("{} entries", "{} 条"),
    "time": Words("Time", "时间"),
    "what": Words("What", "事项"),
    "how": Words("How it comes about", "计算"),
    "amount": Words("Amount ¥", "金额 ¥"),
    "balance": Words("Balance ¥", "余额 ¥"),
    "order": Words("order", "订单"),
    "line": Words("line {}", "第 {} 行"),
    "freight": Words("freight", "运费"),
    "refund": Words("refund", "退款"),
    "payout": Words("payout", "打款"),
    "nothing": Words("Nothing was entered in this period.", "本期没有条目。"),
    "foot": Words(
        "Amounts in yuan, formulas in fen; times in China (UTC+8). Every share rounds down to the fen.",
        "金额单位为元，算式单位为分；时间为北京时间。各方份额向下取整到分。",
    ),
    "made": Words("made {}", "生成于 {}"),
    "csv": Words("Spreadsheet (CSV)", "表格（CSV）"),
}


@cache
def _style() -> str:
    return files("fairwind.settlement.routes").joinpath("statement.css").read_text(encoding="utf-8")


@cache
def policy() -> str:
    """What a browser may do on the page: apply this one style sheet, and nothing else."""
    digest = b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def head(heading: Heading, sums: Sums, *, agrees: bool, language: Language, now: datetime) -> str:
    """The page up to its first book."""

    def word(name: str, *values: object) -> str:
        return escape(_WORDS[name][language].format(*values))

    other = "en" if language == "zh" else "zh"
    whose, period = escape(_whose(heading, language)), escape(heading.period.name)
    standing = word("closed", _moment(heading.closed_at)) if heading.closed_at else word("open")
    wrong = "" if agrees else " wrong"
    csv = f"statement.csv?period={period}&amp;lang={language}"
    return f"""<!doctype html>
<html lang="{word("html_lang")}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{word("title")} {period} · {whose}</title>
<style>{_style()}</style>
<header><b>乘风 Fairwind</b><nav><a href="{csv}">{word("csv")}</a>
<a href="?period={period}&amp;lang={other}" hreflang="{other}">{word("other")}</a></nav></header>
<h1>{word("title")} {period}</h1>
<p class="whose">{whose} · {standing} · {word("made", _moment(now))}</p>
<dl class="sums">{"".join(_sum(word(name), amount, name) for name, amount in _amounts(sums))}</dl>
<p class="note{wrong}">{word("agrees" if agrees else "differs", f"{sums.entries:,}")}</p>
"""


def body(told: Iterable[Begun | Entry | Ended], reading: Reading, language: Language) -> Iterator[str]:
    """What `reading` tells, as pieces of the page."""
    for each in told:
        match each:
            case Begun(book):
                yield _begin(book.shop_id, book.shop_name, book.sums, language)
            case Ended(_, closing_fen):
                yield _balance("closing", closing_fen, language) + "</tbody></table></section>\n"
            case Entry():
                yield _row(each, reading.balance_fen, language)


def foot(reading: Reading, language: Language) -> str:
    """The end of the page."""
    empty = "" if reading.listed else f'<p class="empty">{escape(_WORDS["nothing"][language])}</p>\n'
    return f"{empty}<footer>{escape(_WORDS['foot'][language])}</footer>\n</html>\n"


def _whose(heading: Heading, language: Language) -> str:
    kind = _WORDS[heading.payee_kind][language]
    return kind if heading.payee_kind == "platform" else f"{kind} {heading.name} ({heading.payee_id})"


def _amounts(sums: Sums) -> list[tuple[str, int]]:
    """What the summary shows: subsidies only of those who fund some."""
    shown = [("opening", sums.opening_fen), ("settled", sums.settled_fen), ("clawed_back", sums.clawed_back_fen)]
    if sums.subsidised_fen or sums.subsidy_returned_fen:
        shown += [("subsidised", sums.subsidised_fen), ("subsidy_returned", sums.subsidy_returned_fen)]
    return [*shown, ("swept", sums.swept_fen), ("closing", sums.closing_fen)]


def _sum(name: str, amount_fen: int, css: str) -> str:
    return f'<div class="{css}"><dt>{name}</dt><dd{_less(amount_fen)}>{_yuan(amount_fen)}</dd></div>'


def _begin(shop_id: int, name: str, sums: Sums, language: Language) -> str:
    def word(key: str, *values: object) -> str:
        return escape(_WORDS[key][language].format(*values))

    columns = "".join(
        f"<th{css}>{word(key)}</th>"
        for key, css in (
            ("time", ""),
            ("what", ""),
            ("how", ""),
            ("amount", ' class="amount"'),
            ("balance", ' class="amount"'),
        )
    )
    return (
        f"<section><h2>{escape(name) or word('book', shop_id)} <small>{word('book', shop_id)} · "
        f"{word('entries', f'{sums.entries:,}')}</small></h2>\n<table><thead><tr>{columns}</tr></thead><tbody>\n"
        + _balance("opening", sums.opening_fen, language)
    )


def _balance(name: str, balance_fen: int, language: Language) -> str:
    return (
        f'<tr class="balance"><td class="time"></td><td class="what">{escape(_WORDS[name][language])}</td>'
        f'<td class="formula"></td><td class="amount"></td>'
        f'<td class="amount left">{_yuan(balance_fen)}</td></tr>\n'
    )


def _row(entry: Entry, balance_fen: int, language: Language) -> str:
    kind, item = KIND_WORDS[entry.kind][language], PARTS[entry.item][language]
    what = item if entry.kind == "settled" else f"{item} · {kind}"
    return (
        f'<tr><td class="time">{_moment(entry.at)}</td>'
        f'<td class="what">{escape(what)}{"".join(_of(entry, language))}</td>'
        f'<td class="formula">{escape(_unbroken(formula(entry)[language]))}</td>'
        f'<td class="amount{" less" if entry.amount_fen < 0 else ""}">{_yuan(entry.amount_fen)}</td>'
        f'<td class="amount left">{_yuan(balance_fen)}</td></tr>\n'
    )


def _of(entry: Entry, language: Language) -> list[str]:
    """What the entry is about, piece by piece: which goods, which order, which refund, which payout."""
    parts = []
    if entry.sold is not None:
        parts.append(f"{entry.sold.title} {entry.sold.spec}".strip() + f" × {entry.sold.quantity:,}")
    if entry.order_id is not None:
        which = _WORDS["line"][language].format(entry.line_no) if entry.line_no else ""
        if entry.item == "proceeds" and entry.line_no == 0:
            which = _WORDS["freight"][language]
        parts.append(f"{_WORDS['order'][language]} {entry.order_id} {which}".strip())
    if entry.reference is not None:
        name = "payout" if entry.kind == "swept" else "refund"
        parts.append(f"{_WORDS[name][language]} {entry.reference}")
    return [f'<span class="of">{escape(part)}</span>' for part in parts]


def _unbroken(words: str) -> str:
    """words whose rates stay on one line."""
    return words.replace(" %", "\N{NO-BREAK SPACE}%")


def _moment(at: datetime) -> str:
    return f"{at.astimezone(CHINA):%Y-%m-%d %H:%M}"


def _yuan(amount_fen: int) -> str:
    return format_yuan(amount_fen).replace("-", "−")


def _less(amount_fen: int) -> str:
    return ' class="less"' if amount_fen < 0 else ""
