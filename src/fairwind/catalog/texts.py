"""The catalog's texts: how long each may be and what it may hold, whether it comes as JSON or in a file. Pure."""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any, get_args

from msgspec import Meta

from fairwind.kernel.lines import FILLED_LINE, LINE, LINES

_PATH_STEP = r"^[^>\x00-\x1f\x7f-\x9f]*[^>\s\x00-\x1f\x7f-\x9f][^>\x00-\x1f\x7f-\x9f]*$"

BRIEF_MAX = 1000

ShopName = Annotated[str, Meta(min_length=1, max_length=60, pattern=FILLED_LINE, examples=["顺风家居"])]
CategoryName = Annotated[str, Meta(min_length=1, max_length=100, pattern=_PATH_STEP, examples=["居家"])]
Code = Annotated[
    str, Meta(min_length=1, max_length=255, pattern=FILLED_LINE, description="Names a product in its shop")
]
Title = Annotated[str, Meta(min_length=1, max_length=255, pattern=FILLED_LINE, examples=["秋冬保暖加厚澳洲羊毛被"])]
Brief = Annotated[str, Meta(max_length=BRIEF_MAX, pattern=LINES, description="A few sentences")]
Brand = Annotated[str, Meta(max_length=100, pattern=LINE)]
Unit = Annotated[str, Meta(max_length=20, pattern=LINE, description="What one of it is called, such as 件")]
Spec = Annotated[str, Meta(min_length=1, max_length=255, pattern=FILLED_LINE, description="Names a SKU in its product")]

PLAIN_SPEC = "标准"
"""The spec of a product that comes in one kind only."""


def tidy(text: str) -> str:
    """text without blanks around it, and with \\n for every kind of line break."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def fault(text: str, kind: Any) -> str | None:
    """What is wrong with a tidy text of kind (Title, Code, …), as the end of a sentence; None when it is fine."""
    least, most, pattern = _rules(kind)
    if len(text) > most:
        return f"is longer than {most} characters"
    if len(text) < least:
        return "is empty"
    if not pattern.search(text):
        return "holds a control character or one that is not allowed here"
    return None


@cache
def _rules(kind: Any) -> tuple[int, int, re.Pattern[str]]:
    meta: Meta = get_args(kind)[1]
    return meta.min_length or 0, meta.max_length or 0, re.compile(meta.pattern or "")
