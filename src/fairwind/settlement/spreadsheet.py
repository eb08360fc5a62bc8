"""Statements as CSV that spreadsheets open: rows of text, safe to open whatever a title says. Pure.

A file begins with a byte order mark, by which Excel knows UTF-8. A text that a spreadsheet would take for a formula
gets an apostrophe in front, which shows it as it is.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO

from fairwind.kernel import CHINA
from fairwind.kernel.words import Language, Words
from fairwind.settlement.formula import PARTS, formula
from fairwind.settlement.listing import Begun, Ended, Reading
from fairwind.settlement.statement import Entry

MARK = "\ufeff"
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

COLUMNS: dict[str, Words] = {
    "shop_id": Words("shop_id", "店铺编号"),
    "shop": Words("shop", "店铺"),
    "time": Words("time", "时间"),
    "kind": Words("kind", "类型"),
    "item": Words("item", "项目"),
    "order_id": Words("order_id", "订单号"),
    "line_no": Words("line_no", "订单行"),
    "reference": Words("reference", "退款或打款单号"),
    "goods": Words("goods", "商品"),
    "amount_fen": Words("amount_fen", "金额（分）"),
    "amount_yuan": Words("amount_yuan", "金额（元）"),
    "balance_fen": Words("balance_fen", "余额（分）"),
    "formula": Words("formula", "计算"),
}
KIND_WORDS: dict[str, Words] = {
    "opening": Words("opening", "期初余额"),
    "settled": Words("settled", "结算"),
    "clawed_back": Words("clawed back", "追回"),
    "subsidised": Words("subsidised", "补贴支出"),
    "subsidy_returned": Words("subsidy returned", "补贴退回"),
    "swept": Words("swept", "归集"),
    "closing": Words("closing", "期末余额"),
    "total": Words("total", "合计"),
}


def header(language: Language) -> list[str]:
    return [words[language] for words in COLUMNS.values()]


def rows(
    told: Iterable[Begun | Entry | Ended], reading: Reading, names: dict[int, str], language: Language
) -> Iterator[list[str]]:
    """The rows of what `reading` tells. names: of the books' shops, by id; grows by those that begin."""
    for each in told:
        match each:
            case Begun(book):
                names.clear()  # one book at a time, so that memory does not grow
                names[book.shop_id] = book.shop_name
                yield _balance("opening", book.shop_id, book.shop_name, book.sums.opening_fen, language)
            case Ended(book, closing_fen):
                yield _balance("closing", book.shop_id, book.shop_name, closing_fen, language)
            case Entry():
                yield _entry(each, names.get(each.shop_id, ""), reading.balance_fen, language)


def total(reading: Reading, language: Language) -> list[str]:
    """The last row: what all books close with."""
    return _balance("total", None, "", reading.closing_fen, language)


def text(lines: Iterable[Sequence[str]]) -> str:
    """lines as CSV, as spreadsheets write it."""
    file = StringIO()
    csv.writer(file, lineterminator="\r\n").writerows(lines)
    return file.getvalue()


def safe(cell: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.lstrip().startswith(_DANGEROUS) or cell.startswith(_DANGEROUS) else cell


def _balance(kind: str, shop_id: int | None, name: str, balance_fen: int, language: Language) -> list[str]:
    cells = dict.fromkeys(COLUMNS, "")
    cells |= {
        "shop_id": "" if shop_id is None else str(shop_id),
        "shop": safe(name),
        "kind": KIND_WORDS[kind][language],
        "balance_fen": str(balance_fen),
    }
    return list(cells.values())


def _entry(entry: Entry, name: str, balance_fen: int, language: Language) -> list[str]:
    goods = f"{entry.sold.title} {entry.sold.spec}".strip() if entry.sold else ""
    cells = {
        "shop_id": str(entry.shop_id),
        "shop": safe(name),
        "time": f"{entry.at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}",
        "kind": KIND_WORDS[entry.kind][language],
        "item": PARTS[entry.item][language],
        "order_id": str(entry.order_id or ""),
        "line_no": "" if entry.order_id is None else str(entry.line_no),
        "reference": str(entry.reference or ""),
        "goods": safe(goods),
        "amount_fen": str(entry.amount_fen),
        "amount_yuan": yuan(entry.amount_fen),
        "balance_fen": str(balance_fen),
        "formula": safe(formula(entry)[language]),
    }
    return [cells[column] for column in COLUMNS]


def yuan(amount_fen: int) -> str:
    """-1234 fen as -12.34: a number to spreadsheets."""
    whole, cents = divmod(abs(amount_fen), 100)
    return f"{'-' if amount_fen < 0 else ''}{whole}.{cents:02}"
