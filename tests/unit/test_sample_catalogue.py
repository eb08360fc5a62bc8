"""The sample catalogue of the package: well-formed, and priced like the session it stands for."""

import csv
from collections import Counter, defaultdict
from importlib.resources import files

import pytest

from fairwind.kernel import parse_yuan

COLUMNS = [
    *("product_code", "title", "brief", "category", "parent_category", "brand", "unit"),
    *("spec", "price_yuan", "list_price_yuan", "stock", "on_sale"),
]
ABOVE_FEN = 500_00


@pytest.fixture(scope="module")
def skus() -> list[dict[str, str]]:
    text = files("fairwind.demo").joinpath("sample_catalogue.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), strict=True))


@pytest.fixture(scope="module")
def goods(skus) -> dict[str, list[dict[str, str]]]:
    by_code = defaultdict(list)
    for sku in skus:
        by_code[sku["product_code"]].append(sku)
    return by_code


def test_it_has_the_columns_of_the_import_format_and_no_empty_field(skus):
    assert all(list(sku) == COLUMNS for sku in skus)
    assert all(value == value.strip() != "" for sku in skus for value in sku.values())


def test_about_two_hundred_goods_some_with_several_specs(skus, goods):
    assert 190 <= len(goods) <= 210
    assert len(skus) >= 230


def test_no_good_has_the_same_spec_twice(skus):
    assert max(Counter((sku["product_code"], sku["spec"]) for sku in skus).values()) == 1


def test_the_specs_of_a_good_agree_on_everything_but_price_and_stock(goods):
    own = {"spec", "price_yuan", "list_price_yuan", "stock", "on_sale"}
    for rows in goods.values():
        assert len({tuple(row[column] for column in COLUMNS if column not in own) for row in rows}) == 1


def test_no_two_goods_share_a_title(goods):
    assert len({rows[0]["title"] for rows in goods.values()}) == len(goods)


def test_no_price_is_above_its_list_price(skus):
    assert all(0 < parse_yuan(sku["price_yuan"]) <= parse_yuan(sku["list_price_yuan"]) for sku in skus)


def test_thirty_five_percent_of_goods_cost_more_than_500_yuan_whichever_way_one_counts(skus, goods):
    dear = [{parse_yuan(row["price_yuan"]) > ABOVE_FEN for row in rows} for rows in goods.values()]

    assert all(len(answers) == 1 for answers in dear), "the specs of one good stand on one side of the line"
    assert sum(map(any, dear)) / len(goods) == pytest.approx(0.35, abs=0.005)
    assert sum(parse_yuan(sku["price_yuan"]) > ABOVE_FEN for sku in skus) / len(skus) == pytest.approx(0.35, abs=0.005)


def test_there_is_stock_to_sell_and_a_few_goods_are_off_the_shelf(skus):
    assert all(20 <= int(sku["stock"]) <= 2000 for sku in skus)
    assert {sku["on_sale"] for sku in skus} == {"0", "1"}
    assert 3 <= sum(sku["on_sale"] == "0" for sku in skus) <= 12
