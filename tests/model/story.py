"""Stories of a trade, made up from a seed: two shops, few goods, three buyers and creators, and all that goes wrong.

A story is a list of steps, each a rule and a seed of its own. What a step picks, it picks from what is there, so that
any steps can be left out and the rest is still a story: that is how a failing one is cut short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from random import Random
from time import monotonic
from typing import Any, NamedTuple, TypeVar

from earned import PayoutKey
from granted import Campaign, Funding
from kept import expected
from plain import LATER_S, Asked, Freight, Key, Order, Plain, Sku, Wanted, WantedLine, Word
from promised import DAY_S, EVENING_S, Promised
from reality import AGENCY, NEW, OLD, SPLIT_PPM, START, Reality, id_of

T = TypeVar("T")

BUYERS = (7, 8, 9)
NOBODY = 99
MERCHANT = 1
RATES = [1, 50_000, 123_457, 200_000, 333_333, 500_000]
NO_SKU = 1
NO_ORDER, NO_REFUND, NO_PAYMENT = 999_999, 999_998, 999_997
SHORTEN_S = 60


class Step(NamedTuple):
    rule: str
    seed: int


class Disagreement(AssertionError):  # noqa: N818  the word says it
    """The platform and the model differ; the message is the shortest story in which they do."""


_WEIGHTS: dict[str, int] = {}


def likely(weight: int) -> Callable[[T], T]:
    """Marks a rule: how often it is chosen."""

    def mark(rule: T) -> T:
        _WEIGHTS[rule.__name__] = weight  # type: ignore[attr-defined]
        return rule

    return mark


def steps_of(seed: int, count: int, among: Iterable[str] = ()) -> list[Step]:
    """count steps after the first; among: the rules they go by, all when none is named."""
    random = Random(seed)
    weights = {rule: _WEIGHTS[rule] for rule in among} or _WEIGHTS
    rules = random.choices(list(weights), list(weights.values()), k=count)
    return [Step("open", random.getrandbits(32)), *(Step(rule, random.getrandbits(32)) for rule in rules)]


def tell(real: Reality, seeds: Iterable[int], count: int, among: Sequence[str] = ()) -> None:
    """Play the story of each seed, count steps long, by these rules or all; Disagreement when one ends so."""
    for seed in seeds:
        _tell(real, seed, steps_of(seed, count, among))


def _tell(real: Reality, seed: int, steps: list[Step]) -> None:
    story = Story(real)
    try:
        story.play(steps)
    except Exception as error:
        shortest, why = shortened(real, steps[: story.played], error)
        lines = "\n".join(f"  {step.rule}: {told}" for step, told in zip(shortest, why.told, strict=False))
        raise Disagreement(f"seed {seed}, {len(shortest)} of {story.played} steps:\n{lines}\n{why.error!r}") from error


class Failure(NamedTuple):
    error: Exception
    told: Sequence[str]


def shortened(real: Reality, steps: list[Step], error: Exception) -> tuple[list[Step], Failure]:
    """The fewest of steps found, within a minute, that still fail; the first one opens the shops."""
    failure, until = Failure(error, []), monotonic() + SHORTEN_S
    size = len(steps)
    while size:
        at = 1
        while at < len(steps) and monotonic() < until:
            fewer = steps[:at] + steps[at + size :]
            failed = _fails(real, fewer)
            if failed:
                steps, failure = fewer[: len(failed.told)], failed
            else:
                at += size
        size //= 2
    return steps, _fails(real, steps) or failure


def _fails(real: Reality, steps: Sequence[Step]) -> Failure | None:
    story = Story(real)
    try:
        story.play(steps)
    except Exception as error:
        return Failure(error, story.told)
    return None


class Story:
    """The shops, what the model says of them, and the rules by which a story goes on."""

    def __init__(self, real: Reality) -> None:
        self.real = real
        self.played = 0
        self.told: list[str] = []
        self.numbers = 0

    def play(self, steps: Sequence[Step]) -> None:
        for rule, seed in steps:
            self.played += 1
            self.told.append("")
            self.random = Random(seed)
            getattr(self, rule)()

    def open(self) -> None:
        """One shop is old and one is new; of three creators one has no shop, and one an agency."""
        self.real.reset()
        self.skus: dict[int, tuple[int, ...]] = {}
        stocks: dict[Key, Sku] = {}
        for count, opened in ((3, OLD), (2, NEW)):
            quantities = [self.random.randint(1, 40) for _ in range(count)]
            shop, goods = self.real.open_shop(opened, *quantities)
            self.skus[shop] = tuple(goods)
            for left, (sku, (product, window)) in zip(quantities, goods.items(), strict=True):
                stocks[shop, sku] = Sku(9900, product, window, adjusted=left)
        self.hosts = self.real.hosts
        first, second, _ = self.hosts
        for host in (first, second):
            self.real.join(self.shops[0], host)
        self.real.sign(second)
        opened = {shop: (on - START.date()).days for shop, on in zip(self.skus, (OLD, NEW), strict=True)}
        promised = Promised(opened, {first, second}, {second: (AGENCY, SPLIT_PPM)})
        self.model = Plain(stocks, promised)
        self.numbers = 0
        for shop in self.shops:
            self._begin_to_sell(shop)
        self.compare()

    def _begin_to_sell(self, shop: int) -> None:
        """Most goods have a plan and are on somebody's shelf from the first day on."""
        plans = [(self.model.skus[shop, sku].product, self.random.choice(RATES)) for sku in self.skus[shop][1:]]
        for (product, rate), (_, plan) in zip(plans, self.real.publish(shop, plans), strict=True):
            self.model.promised.publish(shop, product, rate, plan, self.now)
        picks = [(product, host) for product, _ in plans for host in self.hosts]
        self.real.pick(shop, picks)
        for product, host in picks:
            self.model.promised.pick(shop, product, host, self.now)

    # Comparing.

    def agree(self, asked: Any, said: Any, foretold: Any) -> None:
        """What was answered is what the model foretold, and so is all that is kept; a second passes."""
        self.told[-1] = f"{asked} -> {said}"
        assert said == foretold, f"{said}, and not {foretold}"
        self.compare()
        self.real.clock.seconds += 1

    def compare(self) -> None:
        there, due = self.real.found(self.shops), expected(self.model)
        surplus = {name: rows for name in due if (rows := there.state[name] - due[name])}
        missing = {name: rows for name in due if (rows := due[name] - there.state[name])}
        assert (surplus, missing) == ({}, {}), f"surplus {surplus}, missing {missing}"
        self.model.granted.told(there.drawn)
        assert there.broken == [], there.broken

    # Picking.

    @cached_property
    def shops(self) -> list[int]:
        return list(self.skus)

    @property
    def now(self) -> int:
        return self.real.clock.seconds

    def new(self) -> int:
        self.numbers += 1
        return self.numbers

    def name(self, shop: int, things: dict[Key, Any]) -> int:
        """A new number for one of things or, now and then, one that the other shop calls such a thing by."""
        elsewhere = [number for at, number in things if at != shop]
        return self.random.choice(elsewhere) if elsewhere and self.chance(12) else self.new()

    def chance(self, one_in: int) -> bool:
        return self.random.randrange(one_in) == 0

    def some(self, make: Callable[[], T], most: int = 5) -> list[T]:
        return [make() for _ in range(self.random.randint(1, most))]

    def shop(self) -> int:
        return self.random.choice(self.shops)

    def sku(self, shop: int) -> int:
        return NO_SKU if self.chance(40) else self.random.choice(self.skus[shop])

    def order(self, shop: int, *states: str) -> int:
        """An order of the shop: most often in one of states and one of the last, sometimes any, seldom none."""
        there = {number: order.state for (at, number), order in self.model.orders.items() if at == shop}
        fitting = [number for number, state in there.items() if state in states][-6:]
        if self.chance(40) or not there:
            return NO_ORDER
        return self.random.choice(fitting if fitting and not self.chance(5) else list(there))

    def product(self, shop: int) -> int:
        return self.model.skus[shop, self.random.choice(self.skus[shop])].product

    def buyer_of(self, shop: int, order: int) -> int:
        found = self.model.orders.get((shop, order))
        return NOBODY if found is None or self.chance(20) else found.wanted.buyer

    def doubled(self, item: T) -> list[T]:
        return [item, item] if self.chance(8) else [item]

    # Shops and stock.

    @likely(3)
    def adjust(self) -> None:
        shop, batch = self.shop(), []
        before = [number for at, number in self.model.adjustments if at == shop]
        for _ in range(self.random.randint(1, 4)):
            quantity = self.random.choice([-9, -3, -1, 1, 2, 5, 12])
            item = (
                self.name(shop, self.model.adjustments),
                self.sku(shop),
                quantity,
                self.random.choice(["盘点", "补货"]),
            )
            if before and self.chance(4):
                number = self.random.choice(before)
                item = (number, *(self.model.adjustments[shop, number] if self.chance(2) else item[1:]))
            batch += self.doubled(item)
        self.agree(batch, self.real.adjust(shop, batch), [self.model.adjust(shop, *item) for item in batch])

    @likely(3)
    def change_terms(self) -> None:
        """From the next order on a SKU has another price, limit or place off the shelf, and freight is another."""
        shop = self.shop()
        sku_id = self.random.choice(self.skus[shop])
        sku = self.model.skus[shop, sku_id]
        sku.price, sku.on_shelf = self.random.choice([1, 3, 100, 4999, 9900]), not self.chance(6)
        self.real.offer(shop, sku_id, sku.price, on_shelf=sku.on_shelf)
        if self.chance(2):
            sku.limit = self.random.choice([None, 2, 3, 5])
            self.real.limit(shop, sku_id, sku.limit)
        regions = {prefix: self.random.randint(0, 90) for prefix in ("65", "6501", "540102", "11010") if self.chance(3)}
        rule = Freight(self.random.randint(0, 50), self.random.choice([None, 0, 300, 20_000]), regions)
        self.model.freight[shop] = rule
        self.real.set_freight(shop, rule)
        self.agree((shop, sku_id, sku, rule), None, None)

    # Terms.

    @likely(5)
    def publish(self) -> None:
        """Plans for goods: what is raised counts at once, what is cut tomorrow."""
        shop = self.shop()
        goods = self.some(lambda: self.product(shop), 3)
        batch = [(product, self.random.choice([0, *RATES, 500_001])) for product in goods]
        said = self.real.publish(shop, batch)
        foretold = [
            self.model.promised.publish(shop, product, rate, plan, self.now)
            for (product, rate), (_, plan) in zip(batch, said, strict=True)
        ]
        self.agree(batch, [code for code, _ in said], foretold)

    @likely(1)
    def end_plan(self) -> None:
        shop = self.shop()
        product = self.product(shop)
        plans = self.model.promised.plans.get((shop, product), [])
        if plans:
            said = self.real.end_plan(shop, plans[-1].id)
            self.agree(product, said, self.model.promised.publish(shop, product, None, 0, self.now))

    @likely(4)
    def pick(self) -> None:
        shop = self.shop()
        batch = self.some(lambda: (self.product(shop), self.random.choice(self.hosts)), 4)
        foretold = [self.model.promised.pick(shop, product, host, self.now) for product, host in batch]
        self.agree(batch, self.real.pick(shop, batch), foretold)

    @likely(1)
    def drop(self) -> None:
        shop = self.shop()
        product, host = self.product(shop), self.random.choice(self.hosts)
        self.model.promised.drop(shop, product, host)
        self.agree((product, host), self.real.drop(shop, product, host), None)

    @likely(4)
    def campaign(self) -> None:
        """Half and half, for one shop or both, with little money."""
        funder = self.shop()
        fundings = (
            Funding(0, self.random.randint(1, 20_000), self.chance(2)),
            Funding(funder, self.random.randint(1, 20_000), self.chance(2)),
        )
        campaign = Campaign(
            0,
            self.random.choice([1, 33, 999, 2001]),
            fundings,
            frozenset(self.random.choice([[funder], [funder], self.shops])),
            self.now,
            self.now + self.random.choice([LATER_S, 30 * DAY_S, 90 * DAY_S]),
            self.random.choice([None, None, 50, 1500]),
            self.random.choice([None, None, 70, 2500]),
        )
        campaign.id = self.real.campaign(campaign)
        self.model.granted.campaigns[campaign.id] = campaign
        self.agree(campaign, None, None)

    @likely(1)
    def stop(self) -> None:
        running = [each for each in self.model.granted.campaigns.values() if len(each.stopped) < 2]
        if not running:
            return
        campaign = self.random.choice(running)
        if campaign.ends <= self.now:
            return
        left = sorted({each.funder for each in campaign.fundings} - campaign.stopped)
        funder = self.random.choice([None, *left])
        self.real.stop(campaign.id, funder)
        campaign.stopped |= set(left) if funder is None else {funder}
        self.agree((campaign.id, funder), None, None)

    @likely(2)
    def tidy_campaigns(self) -> None:
        """What shops do not need goes back; where nothing is given any more, all of it."""
        self.real.tidy_campaigns()
        self.agree("tidy", None, None)
        for campaign in self.model.granted.campaigns.values():
            for (shop, funder), fen in campaign.drawn.items():
                over = funder in campaign.stopped or campaign.ends < self.now
                assert not over or fen == campaign.spent[shop, funder], campaign

    # Orders.

    def wanted_line(self, shop: int) -> WantedLine:
        """Goods that somebody has shown, more often than not; seldom with the token of other goods."""
        sku, quantity = self.sku(shop), self.random.choice([1, 1, 1, 2, 3])
        if (shop, sku) not in self.model.skus or self.chance(3):
            return WantedLine(sku, quantity)
        shown = self.product(shop) if self.chance(40) else self.model.skus[shop, sku].product
        return WantedLine(sku, quantity, self.random.choice(self.hosts), shown)

    def wanted(self, shop: int) -> Wanted:
        lines = tuple(self.wanted_line(shop) for _ in range(self.random.choice([1, 1, 2, 3])))
        region = self.random.choice(["110105", "650102", "650203", "540102"])
        wanted = Wanted(self.name(shop, self.model.orders), self.random.choice(BUYERS), lines, region)
        if not self.chance(4):
            return wanted
        goods = sum(
            self.model.skus[shop, line.sku].price * line.quantity
            for line in lines
            if (shop, line.sku) in self.model.skus
        )
        total = goods + self.model.freight_of(shop, goods, region)
        return replace(wanted, total=total + self.chance(3))

    @likely(8)
    def place(self) -> None:
        shop, batch = self.shop(), []
        for _ in range(self.random.randint(1, 6)):
            wanted = self.wanted(shop)
            before = self.model.orders.get((shop, self.order(shop)))
            if before is not None and self.chance(4):
                wanted = before.wanted if self.chance(2) else replace(wanted, id=before.wanted.id)
            batch += self.doubled(wanted)
        self.agree(batch, self.real.place(shop, batch), [self.model.place(shop, each, self.now) for each in batch])

    @likely(12)
    def buy(self) -> None:
        """The short way to paid orders, so that stories get far."""
        shop = self.shop()
        batch = self.some(lambda: self.wanted(shop), 3)
        said = self.real.place(shop, batch)
        assert said == [self.model.place(shop, each, self.now) for each in batch]
        placed = [each.id for each, state in zip(batch, said, strict=True) if state == "placed"]
        words = [self.payment(shop, ((shop, number, self.model.orders[shop, number].total),)) for number in placed]
        foretold = self.model.deliver(shop, words, self.now)
        self.agree((batch, words), self.real.deliver(shop, words) if words else [], foretold)

    def payment(self, home: int, parts: tuple[tuple[int, int, int], ...]) -> Word:
        """A new payment, and the word of its success that is yet to come."""
        number = self.name(home, self.model.payments)
        if (home, number) in self.model.payments:
            number = self.new()
        assert self.real.create_payment(home, number, parts) == self.model.create_payment(home, number, parts)
        return Word(number, "succeeded", sum(amount for _, _, amount in parts), f"r{number}")

    @likely(3)
    def cancel(self) -> None:
        self._by_buyers("placed", self.real.cancel, self.model.cancel)

    @likely(6)
    def receive(self) -> None:
        self._by_buyers("shipped", self.real.receive, self.model.receive)

    def _by_buyers(self, state: str, real: Callable[..., Any], model: Callable[..., Any]) -> None:
        shop = self.shop()
        orders = self.some(lambda: self.order(shop, state), 3)
        batch = [item for order in orders for item in self.doubled((order, self.buyer_of(shop, order)))]
        self.agree(batch, real(shop, batch), [model(shop, *item, self.now) for item in batch])

    @likely(6)
    def ship(self) -> None:
        shop = self.shop()
        how = [("顺丰速运", "SF1000"), ("中通快递", "ZT2000")]
        batch = self.some(lambda: (self.order(shop, "paid", "paid", "shipped"), self.random.choice(how)))
        self.agree(batch, self.real.ship(shop, batch), [self.model.ship(shop, *item, self.now) for item in batch])

    # Payments.

    @likely(6)
    def create_payment(self) -> None:
        """For an order, or one of each shop; its order may be over, and may have a payment already."""
        shops = self.random.choice([self.shops, self.shops, self.shops[:1], self.shops[1:]])
        keys = [(shop, self.order(shop, "placed", "placed", "cancelled")) for shop in shops]
        parts = tuple((*key, self.model.orders[key].total) for key in keys if key in self.model.orders)
        if not parts:
            return
        home = parts[0][0]
        number = self.name(home, self.model.payments)
        before = [number for at, number in self.model.payments if at == home]
        if before and self.chance(8):
            number = self.random.choice(before)
            parts = self.model.payments[home, number].parts if self.chance(2) else parts
        said = self.real.create_payment(home, number, parts)
        self.agree((number, parts), said, self.model.create_payment(home, number, parts))

    @likely(10)
    def deliver(self) -> None:
        home, batch = self.shop(), []
        there = [number for at, number in self.model.payments if at == home]
        waiting = [number for number in there if self.model.payments[home, number].state != "succeeded"]
        for _ in range(self.random.randint(1, 4)):
            numbers = waiting if waiting and not self.chance(4) else there
            number = NO_PAYMENT if self.chance(30) or not there else self.random.choice(numbers)
            payment = self.model.payments.get((home, number))
            amount = (payment.amount if payment else 1) + self.chance(15)
            outcome = "closed" if self.chance(5) else "succeeded"
            word = Word(number, outcome, amount, "other" if self.chance(10) else f"r{number}")
            batch += self.doubled(word)
        self.agree(batch, self.real.deliver(home, batch), self.model.deliver(home, batch, self.now))

    @likely(1)
    def pay_again(self) -> None:
        """Arrivals that are told again: the relay hands an event over at least once."""
        arrived = [
            (shop, (order, key, amount))
            for key, payment in self.model.payments.items()
            if payment.state == "succeeded"
            for shop, order, amount in payment.parts
            if self.model.orders[shop, order].payment == key or (shop, order, key) in self.model.strays
        ]
        for shop, arrival in self.random.sample(arrived, min(3, len(arrived))):
            self.real.pay(shop, [arrival, arrival])
        self.agree(arrived, None, None)

    # After-sales.

    @likely(12)
    def ask(self) -> None:
        shop, batch = self.shop(), []
        before = [(refund.order, refund.asked) for (at, _), refund in self.model.refunds.items() if at == shop]
        for _ in range(self.random.randint(1, 4)):
            order = self.order(shop, "paid", "shipped", "received", "completed")
            by_shop = self.chance(3) or (self.settled(shop, order) and not self.chance(3))
            person = MERCHANT if by_shop else self.buyer_of(shop, order)
            kind = self.random.choice(["refund_only", "return"])
            found = self.model.orders.get((shop, order))
            whole = found is None or self.chance(4)
            lines = None if found is None or whole else self.lines_back(found, kind)
            freight = self.random.choice([0, 0, 1, found.freight if found else 0])
            asked = Asked(self.name(shop, self.model.refunds), person, kind, lines, freight)
            if before and self.chance(5):
                old_order, old = self.random.choice(before)
                order = order if self.chance(3) else old_order
                asked = old if self.chance(2) else replace(asked, id=old.id)
                by_shop = asked.person == MERCHANT
            batch += self.doubled((order, asked, by_shop))
        self.agree(batch, self.real.ask(shop, batch), self.model.ask(shop, batch, self.now))

    @likely(6)
    def give_later(self) -> None:
        """The shop gives money back of lines that have settled: each time a part, until nothing is left."""
        there = [key for key, line in self.model.earned.settled.items() if line.back < line.paid]
        batch = []
        for shop, order, number in self.random.sample(there, min(3, len(there))):
            line = self.model.earned.settled[shop, order, number]
            left = line.paid - line.back
            amount = self.random.choice([1, (left + 2) // 3, max(1, left - 1), left])
            lines, freight = (((number, amount, 0),), 0) if number else (((1, 0, 0),), amount)
            batch.append((shop, order, Asked(self.new(), MERCHANT, "refund_only", lines, freight)))
        for shop in self.shops:
            items = [(order, asked, True) for at, order, asked in batch if at == shop]
            said = self.real.ask(shop, items) if items else []
            assert said == self.model.ask(shop, items, self.now), said
        self.agree(batch, None, None)

    def settled(self, shop: int, order: int) -> bool:
        return any(key[:2] == (shop, order) for key in self.model.earned.settled)

    def lines_back(self, order: Order, kind: str) -> tuple[tuple[int, int, int], ...]:
        """Some lines: goods at their price, part of what is left or all of it, and now and then a fen too much."""
        numbers = list(range(1, len(order.lines) + 1 + self.chance(25)))
        picked = self.random.sample(numbers, self.random.randint(1, len(numbers))) + [1] * self.chance(30)
        asked = []
        for number in picked:
            line = order.lines[min(number, len(order.lines)) - 1]
            left, goods = line.left, line.quantity - line.returned
            quantity = self.random.randint(0, goods) if kind == "return" or self.chance(2) else 0
            amounts = [
                left,
                left,
                left // 2,
                1,
                line.price * quantity,
                self.random.randint(0, left),
                left + self.chance(5),
            ]
            asked.append((number, self.random.choice(amounts), quantity + self.chance(40)))
        return tuple(asked)

    @likely(8)
    def decide(self) -> None:
        shop, batch = self.shop(), []
        there = [number for at, number in self.model.refunds if at == shop]
        waiting = [number for number in there if self.model.refunds[shop, number].open]
        for _ in range(self.random.randint(1, 4)):
            numbers = waiting if waiting and not self.chance(4) else there
            number = self.random.choice(numbers) if there and not self.chance(40) else NO_REFUND
            action = self.random.choice(["agree", "agree", "agree", "take back", "take back", "decline", "withdraw"])
            refund = self.model.refunds.get((shop, number))
            buyer = self.buyer_of(shop, refund.order) if refund else NOBODY
            batch += self.doubled((number, action, buyer if action == "withdraw" else None))
        self.agree(batch, self.real.decide(shop, batch), self.model.decide(shop, batch, self.now))

    @likely(6)
    def refund_words(self) -> None:
        """What the provider says of money that goes back."""
        shop = self.shop()
        there = [origin for at, origin in self.model.money if at == shop]
        if not there:
            return
        strays = self.real.stray_ids(self.shops)
        origins = self.some(lambda: self.random.choice(there))
        said = [self.random.choice(["processing", "succeeded", "succeeded", "failed", "retry"]) for _ in origins]
        names = [strays[shop, *origin] if isinstance(origin, tuple) else id_of(origin) for origin in origins]
        self.real.refund_words(shop, zip(names, said, strict=True))
        for origin, word in zip(origins, said, strict=True):
            self.model.refund_word(shop, origin, word)
        self.agree((origins, said), None, None)

    @likely(1)
    def refunded_again(self) -> None:
        """Money that went back is told of again, and twice at once."""
        told = [(shop, origin) for (shop, origin), money in self.model.money.items() if money.state == "succeeded"]
        strays = self.real.stray_ids(self.shops)
        for shop, origin in self.random.sample(told, min(2, len(told))):
            name = strays[shop, *origin] if isinstance(origin, tuple) else id_of(origin)
            self.real.confirm(shop, name, self.model.order_of(shop, origin), self.model.money[shop, origin].amount)
            self.model.confirm(shop, origin, self.now)
        self.agree(told, None, None)

    # Settling and paying out.

    @likely(6)
    def finish(self) -> None:
        """The short way to lines that are due: what is paid is shipped and received."""
        shop = self.shop()
        paid = [n for (at, n), order in self.model.orders.items() if at == shop and order.state == "paid"]
        how = ("顺丰速运", "SF3000")
        parcels = [(order, how) for order in paid]
        said = self.real.ship(shop, parcels) if parcels else []
        assert said == [self.model.ship(shop, *item, self.now) for item in parcels]
        batch: list[tuple[int, int | None]] = [(order, None) for order in paid]
        said = self.real.receive(shop, batch) if batch else []
        self.agree(paid, said, [self.model.receive(shop, *item, self.now) for item in batch])

    @likely(6)
    def settle(self) -> None:
        """Now, or when the next line is due."""
        waiting = [due_at for due_at in self.model.earned.due.values() if due_at > self.now]
        if waiting and not self.chance(3):
            self.real.clock.seconds = self.random.choice([min(waiting), max(waiting)])
        self.agree("settle", self.real.settle(), self.model.settle(self.now))

    @likely(5)
    def gather(self) -> None:
        """Now, or at the next midnight."""
        if not self.chance(3):
            self.real.clock.seconds += DAY_S - (self.now + EVENING_S) % DAY_S
        self.agree("gather", self.real.gather(), self.model.gather(self.now))

    def payout(self) -> PayoutKey | None:
        """One of the payouts, if any: more likely one that is not done."""
        there = self.model.earned.payouts
        going = [key for key, payout in there.items() if payout.state not in ("succeeded", "released")]
        return self.random.choice(going if going and not self.chance(4) else list(there)) if there else None

    @likely(2)
    def claim(self) -> None:
        claimed = self.real.claim()
        self.model.earned.claimed(claimed, self.now)
        self.agree("claim", None, None)

    @likely(7)
    def payout_words(self) -> None:
        """What the provider says of payouts: of the latest attempt or of an earlier one, and not only once."""
        batch: list[tuple[PayoutKey, int, str]] = []
        for _ in range(self.random.randint(1, 4)):
            key = self.payout()
            if key is None:
                return
            attempt = self.model.earned.payouts[key].attempts - self.chance(6)
            word = self.random.choice(["processing", "succeeded", "succeeded", "succeeded", "failed"])
            batch += self.doubled((key, attempt, word))
        # All at once: each answer is how the payout stands in the end.
        for item in batch:
            self.model.payout_word(*item, self.now)
        foretold = [self.model.earned.payouts[key].state for key, _, _ in batch]
        self.agree(batch, self.real.payout_words(batch), foretold)

    @likely(2)
    def see_to_payout(self) -> None:
        """An operator has a payout sent again, or released when the provider agrees to never pay it."""
        key = self.payout()
        if key is None:
            return
        payout = self.model.earned.payouts[key]
        says = self.random.choice(["retry", "retry", "cancelled", "cancelled", "succeeded", "processing"])
        if says == "retry":
            refused = payout.state == "released"
            foretold = "wrong_payout_state" if refused else self.word(key, "retry")
            self.agree((key, says), self.real.retry(key), foretold)
            return
        before = payout.state
        if before == "failed" and says != "processing":
            foretold = self.word(key, "release" if says == "cancelled" else says)
        else:
            foretold = "released" if before == "released" else "wrong_payout_state"
        self.agree((key, says), self.real.release(key, says), foretold)

    def word(self, key: PayoutKey, word: str) -> str:
        return self.model.payout_word(key, self.model.earned.payouts[key].attempts, word, self.now)

    # What happens by itself.

    @likely(8)
    def relay(self) -> None:
        if self.model.contended():
            return
        self.agree(list(self.model.events), self.real.relay(), self.model.relay(self.now))

    @likely(6)
    def time_passes(self) -> None:
        """What it brings is done at once, or only later."""
        spans = [1, 60, 300, 898, 900, LATER_S, DAY_S, 7 * DAY_S, 10 * DAY_S, 15 * DAY_S]
        self.real.clock.seconds += self.random.choice(spans)
        if self.chance(2):
            self.agree("time out", self.real.time_out(), self.model.time_out(self.now))
        if self.chance(2):
            self.agree("meet deadlines", self.real.meet_deadlines(), self.model.meet_deadlines(self.now))
        if self.chance(2):
            self.agree("settle", self.real.settle(), self.model.settle(self.now))
