"""Words as an index holds them: any part of a Chinese title is found, without a dictionary or an extension. Pure.

A text is folded (NFKC, case folded, blanks made one space) and cut into its single characters and its pairs of
neighbours. A word that a text contains has all its pairs in that text's grams, so the index finds every match; a text
may hold the pairs apart from each other, so a match is confirmed by looking for the word itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import normalize


def folded(text: str) -> str:
    """text as it is compared: full-width and case do not matter, blanks are one space, nothing unprintable is left."""
    # Folding case can undo the normal form, hence twice.
    text = normalize("NFKC", normalize("NFKC", text).casefold())
    return " ".join("".join([c if c.isprintable() else " " for c in text]).split())


def searched(title: str, brand: str) -> str:
    """What a search looks through."""
    return f"{folded(title)}\n{folded(brand)}"


def grams(text: str) -> list[str]:
    """The characters and pairs of neighbours in each word of a folded text, sorted."""
    return sorted({gram for word in text.split() for gram in (*word, *_pairs(word))})


def words(query: str) -> list[str]:
    """The words that a query asks for, all of which a match contains."""
    return sorted(set(folded(query).split()))


def wanted_grams(words: Sequence[str]) -> list[str]:
    """The grams that a text has at least when it contains all of words."""
    return sorted({gram for word in words for gram in (_pairs(word) or [word])})


def _pairs(word: str) -> list[str]:
    return [word[i : i + 2] for i in range(len(word) - 1)]
