"""The shelf that a batch works on: never below zero, and saved as one change per SKU."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from fairwind.inventory import Goods, OutOfStock, OverBuyerLimit, Shelf, Stock
from fairwind.kernel import NotFound, PersonId, SkuId

SKUS = [SkuId(1), SkuId(2), SkuId(3)]
BUYERS = [PersonId(7), PersonId(8)]
WANTED = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 5), min_size=1)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["hold", "release", "take", "put back"]),
        st.sampled_from(BUYERS),
        WANTED,
        st.integers(0, 99),
    ),
    max_size=30,
)


def stock(sku_id: int, left: int, *, sold: int = 0, held: int = 0, limit: int | None = None) -> Stock:
    return Stock(SkuId(sku_id), left + sold + held, sold, held, limit)


@given(
    st.lists(st.tuples(st.integers(0, 8), st.none() | st.integers(1, 6)), min_size=3, max_size=3),
    st.lists(st.integers(0, 6), min_size=6, max_size=6),
    STEPS,
)
def test_a_shelf_agrees_with_counting_by_hand_and_never_goes_below_zero(
    start: list[tuple[int, int | None]], had: list[int], steps: list[tuple[str, PersonId, dict[SkuId, int], int]]
) -> None:
    limits = {sku_id: limit for sku_id, (_, limit) in zip(SKUS, start, strict=True)}
    left = Counter({sku_id: quantity for sku_id, (quantity, _) in zip(SKUS, start, strict=True)})
    pairs = [(sku_id, buyer) for sku_id in SKUS for buyer in BUYERS if limits[sku_id] is not None]
    mine = Counter(dict(zip(pairs, had, strict=False)))
    opening, opening_mine = left.copy(), mine.copy()
    shelf = Shelf({s: stock(s, left[s], limit=limits[s]) for s in SKUS}, bought=dict(mine))
    held: list[Goods] = []
    sold: list[Goods] = []

    for what, buyer, wanted, which in steps:
        if what == "hold":
            fits = all(left[s] >= q for s, q in wanted.items()) and all(
                mine[s, buyer] + q <= limit for s, q in wanted.items() if (limit := limits[s]) is not None
            )
            assert (shelf.refusal(wanted, buyer) is None) == fits
            if fits:
                goods = Goods(wanted, buyer, shelf.limited(wanted))
                shelf.hold(goods)
                held.append(goods)
                left -= Counter(wanted)
                mine += Counter({(s, buyer): q for s, q in wanted.items() if limits[s] is not None})
        elif what == "take" and held:
            sold.append(held.pop(which % len(held)))
            shelf.take(sold[-1])
        elif what == "release" and held:
            goods = held.pop(which % len(held))
            shelf.release(goods)
            left += Counter(goods.quantities)
            mine -= Counter({(s, goods.buyer_id): goods.quantities[s] for s in goods.limited})
        elif what == "put back" and sold:
            goods = sold.pop(which % len(sold))
            shelf.put_back(goods)
            left += Counter(goods.quantities)
            mine -= Counter({(s, goods.buyer_id): goods.quantities[s] for s in goods.limited})
        assert all(shelf.available(s) == left[s] >= 0 for s in SKUS)

    assert +Counter({s: shelf.held[s] for s in SKUS}) == sum((Counter(g.quantities) for g in held), Counter())
    assert +Counter({s: shelf.sold[s] for s in SKUS}) == sum((Counter(g.quantities) for g in sold), Counter())
    assert all(opening_mine[p] + shelf.bought_more[p] == mine[p] for p in pairs)
    assert shelf.crossed() == {s: left[s] > 0 for s in SKUS if (left[s] > 0) != (opening[s] > 0)}


def test_a_refusal_tells_how_many_are_left() -> None:
    shelf = Shelf({SkuId(1): stock(1, 2, sold=5, held=4), SkuId(2): stock(2, 0)})
    refusal = shelf.refusal({SkuId(1): 3}, BUYERS[0])
    assert isinstance(refusal, OutOfStock)
    assert refusal.more == {"sku_id": 1, "available": 2}
    assert "sold out" in getattr(shelf.refusal({SkuId(2): 1}, BUYERS[0]), "detail", "")


def test_a_sku_without_stock_is_not_sold_here() -> None:
    assert isinstance(Shelf({}).refusal({SkuId(9): 1}, BUYERS[0]), NotFound)


def test_a_limit_counts_what_the_buyer_has_and_what_the_batch_gave() -> None:
    shelf = Shelf({SkuId(1): stock(1, 99, limit=3)}, bought={(SkuId(1), BUYERS[0]): 1})
    shelf.hold(Goods({SkuId(1): 1}, BUYERS[0], {SkuId(1)}))
    assert shelf.refusal({SkuId(1): 1}, BUYERS[0]) is None
    assert isinstance(shelf.refusal({SkuId(1): 2}, BUYERS[0]), OverBuyerLimit)
    assert shelf.refusal({SkuId(1): 3}, BUYERS[1]) is None


def test_goods_that_counted_towards_no_limit_give_none_back() -> None:
    shelf = Shelf({SkuId(1): stock(1, 5, sold=3, limit=3)})
    shelf.put_back(Goods({SkuId(1): 3}, BUYERS[0], ()))
    assert shelf.sold == {1: -3}
    assert not shelf.bought_more


def test_looking_at_a_shelf_does_not_sell_anything_out() -> None:
    assert Shelf({SkuId(1): stock(1, 0), SkuId(2): stock(2, 1)}).crossed() == {}
