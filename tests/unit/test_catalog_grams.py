"""Words as an index holds them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwind.catalog.grams import folded, grams, searched, wanted_grams, words

texts = st.text(st.one_of(st.characters(), st.sampled_from("羊毛被子 MUJI ＡＢａｂ\u3000é\u0301")), max_size=40)


@given(texts, texts, texts)
def test_a_text_that_contains_a_word_has_all_its_grams(before, word, after):
    text = searched(before + word + after, "")
    for contained in words(word):
        if contained in text:
            assert set(wanted_grams([contained])) <= set(grams(text))


@given(st.lists(st.text("羊毛被子四件套ab1", min_size=1, max_size=6), min_size=1, max_size=4), st.data())
def test_any_part_of_a_title_is_found(parts, data):
    title = "".join(parts)
    start = data.draw(st.integers(0, len(title) - 1))
    part = title[start : data.draw(st.integers(start + 1, len(title)))]
    text = searched(title, "")
    assert all(word in text for word in words(part))
    assert set(wanted_grams(words(part))) <= set(grams(text))


@given(texts)
def test_folding_is_done_once_and_for_all(text):
    assert folded(folded(text)) == folded(text)
    assert folded(text).isprintable()


@given(texts)
def test_grams_hold_no_blank_that_could_part_them(text):
    assert all(len(gram) in (1, 2) and gram.split() == [gram] for gram in grams(searched(text, text)))


@pytest.mark.parametrize("query", ["MUJI", "muji", "ＭＵＪＩ", "  Muji\u3000"])
def test_case_width_and_blanks_do_not_matter(query):
    assert words(query) == ["muji"]


def test_the_words_of_a_query_are_looked_for_one_by_one():
    assert words("羊毛 被 羊毛") == ["羊毛", "被"]
    assert wanted_grams(["羊毛被", "子"]) == sorted(["羊毛", "毛被", "子"])


def test_no_gram_reaches_from_the_title_into_the_brand():
    assert "毛m" not in grams(searched("羊毛", "MUJI"))


def test_a_query_without_words_asks_for_nothing():
    assert words(" \t\0 ") == []
