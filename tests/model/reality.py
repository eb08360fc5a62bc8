"""The real platform as the model's driver meets it: commands on the database, and everything that they left there."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from earned import PayoutKey
from granted import Campaign
from kept import DRAWN, PAYOUT_IDS, READS, STRAY_IDS, TABLES
from msgspec.structs import replace
from plain import DEBT_MAX, HOLD_S, RECEIPT_S, WINDOW_S, Asked, Freight, Key, Wanted, WantedLine, Word

from deals import creator
from fairwind.alliance.commands.picks import Dropping, Picking, drop, pick
from fairwind.alliance.commands.plans import end_plans, publish_plans
from fairwind.alliance.pick import PickDraft
from fairwind.alliance.plan import Kind, Terms
from fairwind.alliance.promise import Dated, Ending, Publishing
from fairwind.content import Placement
from fairwind.identity import grant_membership
from fairwind.inventory import AdjustmentDraft, set_buyer_limit
from fairwind.inventory.commands import Adjusting, adjust
from fairwind.kernel import (
    PPM_WHOLE,
    Database,
    Event,
    Fen,
    LiveSessionId,
    PersonId,
    PlanId,
    Platform,
    Ppm,
    ProductId,
    Query,
    Refused,
    Settings,
    ShopId,
    SkuId,
    Transaction,
)
from fairwind.kernel.audit import checks_of
from fairwind.orders import LineDraft, OrderDraft, Placing
from fairwind.orders.commands.after_sales import Asking, Backing, Deciding, ask_refunds, confirm_refunds, decide_refunds
from fairwind.orders.commands.delivery import Cancelling, Receiving, ShipmentDraft, Shipping, cancel, receive, ship
from fairwind.orders.commands.paying import deliver, pay
from fairwind.orders.commands.placing import place
from fairwind.orders.payment import Arrival
from fairwind.orders.pricing import FreightRule
from fairwind.orders.refund import RefundDraft, RefundLineDraft
from fairwind.orders.states import RefundAction
from fairwind.payments import Draft, Notice, Part, Refunded, create
from fairwind.payments.commands import record_refunds
from fairwind.payments.refund import RefundTold
from fairwind.policy.campaign import CampaignDraft, FunderId, FundingDraft, Rule, Scope
from fairwind.policy.commands.campaigns import accept, end_over, propose, stop, stop_part
from fairwind.policy.commands.purses import return_unused
from fairwind.settlement.commands.payouts import claim_payouts, record_payouts
from fairwind.settlement.commands.settling import claw_back
from fairwind.settlement.jobs import PayingOut
from fairwind.settlement.payout import Payout, PayoutTold
from fairwind.settlement.payouts import Payouts
from fairwind.settlement.provider import PayoutStanding
from fairwind.settlement.settlement import Settlement
from fairwind.settlement.store.payouts import owed_by
from fairwind.web.contexts import wire_all
from market import ADDRESS, CONTEXTS, open_shop

T = TypeVar("T")

START = datetime(2020, 6, 18, 12, tzinfo=UTC)
BACKING = Backing(claw_back, owed_by, DEBT_MAX)
HOLD_TTL, RECEIPT_AFTER, WINDOW = (timedelta(seconds=seconds) for seconds in (HOLD_S, RECEIPT_S, WINDOW_S))


OLD, NEW = date(2019, 1, 1), date(2020, 5, 1)
"""When a shop opened: long ago, or a while before the story begins."""
SHORT_S = 7 * 86_400
"""The after-sales window of some goods."""
AGENCY, SPLIT_PPM = 900, 300_000
"""The MCN of one of the creators."""
MERCHANT, OPERATOR = PersonId(1), PersonId(2)

_CHECKS = [check for context in CONTEXTS for check in checks_of(f"fairwind.{context}")]
_AUDIT = " UNION ALL ".join(
    f"SELECT {number} AS number, row_to_json(found) AS found FROM ({check.sql.replace('%', '%%')}) AS found"
    for number, check in enumerate(_CHECKS)
)


class ModelClock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.seconds = 0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


def id_of(number: int) -> UUID:
    """The UUIDv7 that stands for a number of the driver's."""
    return UUID(int=7 << 76 | 2 << 62 | number)


def number_of(name: UUID | None) -> int | None:
    return None if name is None else name.int & 0xFFFF_FFFF


class Found(NamedTuple):
    """What a story has left behind.

    state: everything that the shops have in the database, by what it is. drawn: what shops have drawn of budgets, by
    campaign, shop and funder. broken: invariants that the audit finds broken, each with a row that breaks it, in the
    whole database, where nothing is but the story.
    """

    state: dict[str, Counter[tuple[Any, ...]]]
    drawn: dict[tuple[int, int, int], int]
    broken: list[tuple[str, Any]]


class Reality:
    """Commands with the driver's numbers in and codes out."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._database = Database(url)
        self.do(self._database.open())
        self.hosts: tuple[int, ...] = tuple(self.do(creator(self._database, with_shop=False)) for _ in range(3))
        self.reset()

    def reset(self) -> None:
        """A new world: no shops, no orders, and time starts again."""
        self.clock = ModelClock()
        platform = Platform(self._database, self.clock, Settings())
        wire_all(platform)
        self._orders = platform.provided["orders"]
        self._settlement = Settlement(platform)
        self._provider = Provider()
        self._payouts = Payouts(platform, {"sandbox": self._provider}, "sandbox")  # type: ignore[dict-item]
        self._paying_out = PayingOut(platform, self._payouts)
        self._relay = platform.relay
        self._run(f"TRUNCATE {TABLES} CASCADE")

    def close(self) -> None:
        self.do(self._database.close())
        self._loop.close()

    def do(self, work: Coroutine[Any, Any, T] | Awaitable[T]) -> T:
        return self._loop.run_until_complete(work)  # type: ignore[arg-type]

    def _run(self, sql: str, **values: Any) -> None:
        self.do(self._database.run(lambda tx: tx.execute(sql, values)))  # type: ignore[arg-type]

    def _batch(
        self,
        command: Callable[..., Awaitable[Sequence[Any]]],
        shop: int,
        items: Iterable[Any],
        *more: Any,
    ) -> list[str]:
        batch, now = list(items), self.clock.now()
        return [_code(each) for each in self.do(self._database.run(lambda tx: command(tx, shop, batch, now, *more)))]

    # Shops and stock.

    def open_shop(self, opened: date, *stock: int) -> tuple[int, dict[int, tuple[int, int]]]:
        """A new shop, and for each SKU its product and after-sales window: of the first one it is short."""
        shop = self.do(open_shop(self._database, *stock))
        first = shop.product_ids[0]
        self._run("UPDATE catalog.shop SET opened_on = %(on)s WHERE shop_id = %(shop)s", on=opened, shop=shop.id)
        self._run(
            "INSERT INTO catalog.category (id, depth, name) VALUES (%(id)s, 1, %(name)s)",
            id=first,
            name=f"类目 {first}",
        )
        self._run("UPDATE catalog.product SET category_id = %(id)s WHERE id = %(id)s", id=first)
        self._run(
            "INSERT INTO policy.after_sales_window (category_id, version, window_s, starts_at, set_by, set_at)"
            " VALUES (%(id)s, 1, %(window)s, %(at)s, 1, %(at)s)",
            id=first,
            window=SHORT_S,
            at=START - timedelta(days=1),
        )
        windows = [SHORT_S] + [WINDOW_S] * (len(stock) - 1)
        goods = zip(shop.sku_ids, zip(shop.product_ids, windows, strict=True), strict=True)
        return shop.id, dict(goods)

    def join(self, shop: int, host: int) -> None:
        """The creator becomes a member of the shop."""
        self.do(
            self._database.run(lambda tx: grant_membership(tx, ShopId(shop), PersonId(host), START - timedelta(days=1)))
        )

    def sign(self, host: int) -> None:
        """The creator belongs to the MCN."""
        self._run(
            "INSERT INTO alliance.mcn_member (id, agency_id, creator_id, split_ppm, invited_at, accepted_at, starts_at)"
            " VALUES (1, %(agency)s, %(host)s, %(split)s, %(at)s, %(at)s, %(begins)s)",
            agency=AGENCY,
            host=host,
            split=SPLIT_PPM,
            at=START - timedelta(days=9),
            begins=START - timedelta(days=8),
        )

    def offer(self, shop: int, sku: int, price: int, *, on_shelf: bool) -> None:
        self._run(
            "UPDATE catalog.sku SET price_fen = %(price)s, on_shelf = %(on_shelf)s"
            " WHERE shop_id = %(shop)s AND id = %(sku)s",
            price=price,
            on_shelf=on_shelf,
            shop=shop,
            sku=sku,
        )

    def set_freight(self, shop: int, rule: Freight) -> None:
        self.do(self._orders.set_freight_rule(ShopId(shop), FreightRule(rule.flat, rule.free_from, rule.regions)))

    def limit(self, shop: int, sku: int, limit: int | None) -> None:
        self.do(self._database.run(lambda tx: set_buyer_limit(tx, ShopId(shop), SkuId(sku), limit)))

    def adjust(self, shop: int, items: Iterable[tuple[int, int, int, str]]) -> list[str]:
        return self._batch(
            adjust,
            shop,
            (
                Adjusting(SkuId(sku), AdjustmentDraft(id_of(number), quantity, reason), PersonId(1))
                for number, sku, quantity, reason in items
            ),
        )

    # Terms.

    def publish(self, shop: int, items: Iterable[tuple[int, int]]) -> list[tuple[str, int]]:
        """Ordinary plans, as products and rates; answers the plan of each as well, 0 for none."""
        batch = [Publishing(ProductId(product), Kind.ORDINARY, Terms(Ppm(rate)), MERCHANT) for product, rate in items]
        now = self.clock.now()
        outcomes = self.do(self._database.run(lambda tx: publish_plans(tx, ShopId(shop), batch, now)))
        return [(_code(each), each.plan.id if isinstance(each, Dated) else 0) for each in outcomes]

    def end_plan(self, shop: int, plan: int) -> str:
        return self._batch(end_plans, shop, [Ending(PlanId(plan), MERCHANT)])[0]

    def pick(self, shop: int, items: Iterable[tuple[int, int]]) -> list[str]:
        """As products and creators."""
        batch = [Picking(PersonId(host), ProductId(product), PickDraft()) for product, host in items]
        return ["ok" if code == "ok" else code for code in self._batch(pick, shop, batch)]

    def drop(self, shop: int, product: int, host: int) -> None:
        self._batch(drop, shop, [Dropping(PersonId(host), ProductId(product))])

    def campaign(self, wanted: Campaign) -> int:
        """The campaign, agreed upon by all; answers its id."""
        halves = tuple(
            FundingDraft(FunderId(each.funder), Ppm(PPM_WHOLE // 2), Fen(each.budget), each.in_base)
            for each in wanted.fundings
        )
        draft = CampaignDraft(
            id=id_of(self.clock.seconds),
            name="双百亿补贴",
            rule=Rule(piece_fen=Fen(wanted.piece)),
            fundings=halves,
            scope=Scope(shop_ids=tuple(wanted.shops)),
            order_max_fen=None if wanted.order_cap is None else Fen(wanted.order_cap),
            buyer_max_fen=None if wanted.buyer_cap is None else Fen(wanted.buyer_cap),
            guard_days=0,
            starts_at=START + timedelta(seconds=wanted.starts),
            ends_at=START + timedelta(seconds=wanted.ends),
        )
        now = self.clock.now()

        async def work(tx: Transaction) -> int:
            made = await propose(tx, draft, OPERATOR, now)
            for each in made.fundings:
                await accept(tx, made.id, each.funder_id, MERCHANT, now)
            return made.id

        return self.do(self._database.run(work))

    def stop(self, campaign: int, funder: int | None) -> None:
        """The operator stops it, or a funder its own part."""
        now = self.clock.now()
        if funder is None:
            self.do(self._database.run(lambda tx: stop(tx, campaign, OPERATOR, now)))  # type: ignore[arg-type]
        else:
            self.do(self._database.run(lambda tx: stop_part(tx, campaign, FunderId(funder), MERCHANT, now)))  # type: ignore[arg-type]

    def tidy_campaigns(self) -> None:
        """End what is over, and take back what shops leave unused."""
        self.do(end_over(self._database, self.clock.now()))
        self.do(return_unused(self._database, self.clock.now()))

    # Orders and payments.

    def place(self, shop: int, items: Iterable[Wanted]) -> list[str]:
        return self._batch(place, shop, map(_placing, items), HOLD_TTL)

    def create_payment(self, home: int, number: int, parts: Iterable[tuple[int, int, int]]) -> str:
        paid = tuple(Part(ShopId(shop), id_of(order), Fen(amount)) for shop, order, amount in parts)
        return self._batch(create, home, [Draft(id_of(number), PersonId(1), paid, self.clock.now())])[0]

    def deliver(self, home: int, words: Iterable[Word]) -> list[str]:
        now = self.clock.now()
        return self._batch(
            deliver,
            home,
            (
                Notice(id_of(word.payment), ShopId(home), Fen(word.amount), word.outcome, word.reference, now)  # type: ignore[arg-type]
                for word in words
            ),
        )

    def pay(self, shop: int, arrivals: Iterable[tuple[int, Key, int]]) -> None:
        self._batch(
            pay,
            shop,
            (
                Arrival(id_of(order), ShopId(home), id_of(number), Fen(amount))
                for order, (home, number), amount in arrivals
            ),
        )

    def cancel(self, shop: int, items: Iterable[tuple[int, int | None]]) -> list[str]:
        return self._batch(cancel, shop, (Cancelling(id_of(order), _person(buyer)) for order, buyer in items))

    def ship(self, shop: int, items: Iterable[tuple[int, tuple[str, str]]]) -> list[str]:
        return self._batch(
            ship, shop, (Shipping(id_of(order), ShipmentDraft(*how)) for order, how in items), RECEIPT_AFTER
        )

    def receive(self, shop: int, items: Iterable[tuple[int, int | None]]) -> list[str]:
        return self._batch(receive, shop, (Receiving(id_of(order), _person(buyer)) for order, buyer in items), WINDOW)

    def ask(self, shop: int, items: Iterable[tuple[int, Asked, bool]]) -> list[str]:
        return self._batch(ask_refunds, shop, (_asking(*item) for item in items), WINDOW, BACKING)

    def decide(self, shop: int, items: Iterable[tuple[int, str, int | None]]) -> list[str]:
        return self._batch(
            decide_refunds,
            shop,
            (Deciding(id_of(refund), RefundAction(action), "", _person(buyer)) for refund, action, buyer in items),
            WINDOW,
            BACKING,
        )

    # What happens by itself.

    def time_out(self) -> None:
        self.do(self._orders.time_out_unpaid())

    def meet_deadlines(self) -> None:
        self.do(self._orders.meet_deadlines())

    def relay(self) -> None:
        self.do(self._relay.drain())

    def refund_words(self, shop: int, words: Iterable[tuple[UUID, str]]) -> None:
        self._batch(record_refunds, shop, (RefundTold(origin, 0, word, "no") for origin, word in words))  # type: ignore[arg-type]

    def confirm(self, shop: int, refund: UUID, order: int, amount: int) -> None:
        """Hear that money went back, twice at once."""
        told = msgspec.Raw(msgspec.json.encode(Refunded(refund, id_of(order), id_of(0), Fen(amount))))  # type: ignore[arg-type]
        event = Event(id_of(0), ShopId(shop), "payments.refunded", told, self.clock.now())  # type: ignore[arg-type]
        now = self.clock.now()
        self.do(self._database.run(lambda tx: confirm_refunds(tx, ShopId(shop), [event, event], now)))

    # Paying out.

    def settle(self) -> None:
        self.do(self._settlement.settle_due())

    def gather(self) -> None:
        self.do(self._paying_out.gather())

    def claim(self) -> set[PayoutKey]:
        """Take payouts in hand that are to be sent or asked about."""
        now = self.clock.now()
        claimed = self.do(self._database.run(lambda tx: claim_payouts(tx, now, 1000)))
        return {(each.payee_kind, each.payee_id, _plain(each.requested_at)) for each in claimed}

    def payout_words(self, words: Iterable[tuple[PayoutKey, int, str]]) -> list[str]:
        """The provider's words, as payout, attempt and word."""
        ids, now = self.payout_ids(), self.clock.now()
        told = [PayoutTold(ids[key], attempt, word, "no") for key, attempt, word in words]  # type: ignore[arg-type]
        return [_code(each) for each in self.do(self._database.run(lambda tx: record_payouts(tx, told, now)))]

    def retry(self, key: PayoutKey) -> str:
        return self._refusable(self._payouts.retry(self.payout_ids()[key]))  # type: ignore[arg-type]

    def release(self, key: PayoutKey, says: str) -> str:
        """An operator releases a payout; says: what the provider does about that."""
        self._provider.says = says
        return self._refusable(self._payouts.release(self.payout_ids()[key]))  # type: ignore[arg-type]

    def _refusable(self, work: Coroutine[Any, Any, Payout]) -> str:
        try:
            return _code(self.do(work))
        except Refused as refusal:
            return refusal.code

    def payout_ids(self) -> dict[PayoutKey, UUID]:
        rows = self.do(self._read([Query(PAYOUT_IDS, (), list)]))[0]
        return {(row.payee_kind, row.payee_id, _plain(row.requested_at)): row.id for row in rows}

    # What is there.

    def found(self, shops: Sequence[int]) -> Found:
        """Everything that there is by now, as one moment shows it."""
        ids = {"shops": list(shops)}
        *answers, drawn, broken = self.do(
            self._read(
                [*(Query(sql, ids, list) for sql in READS.values()), Query(DRAWN, (), list), Query(_AUDIT, (), list)]  # type: ignore[arg-type]
            )
        )
        state = zip(READS, answers, strict=True)
        return Found(
            {name: Counter(tuple(map(_plain, row)) for row in rows) for name, rows in state},
            {tuple(row[:3]): row[3] for row in drawn},
            [(_CHECKS[row.number].invariant, row.found) for row in broken],
        )

    def stray_ids(self, shops: Sequence[int]) -> dict[tuple[int, int, Key], UUID]:
        rows = self.do(self._read([Query(STRAY_IDS, {"shops": list(shops)}, list)]))[0]
        return {
            (row.shop_id, number_of(row.order_id), (row.payment_shop_id, number_of(row.payment_id))): row.id
            for row in rows
        }

    async def _read(self, queries: Sequence[Query[Any]]) -> list[Any]:
        async with self._database.transaction() as tx:
            return await tx.together(*queries)


class Provider:
    """Pays nobody: its words are the story's."""

    says = "cancelled"

    async def cancel(self, _: Payout) -> PayoutStanding:
        return PayoutStanding(self.says)  # type: ignore[arg-type]


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return number_of(value)
    if isinstance(value, datetime):
        return round((value - START).total_seconds())
    if isinstance(value, list):  # of grants
        return tuple((each["campaign_id"], each["funder_id"], each["amount_fen"], each["in_base"]) for each in value)
    return value


def _code(outcome: Any) -> str:
    """A refusal's code; the state of what was answered; ok for what has none."""
    if isinstance(outcome, Refused):
        return outcome.code
    return str(getattr(outcome, "state", "ok"))


def _person(buyer: int | None) -> PersonId | None:
    return None if buyer is None else PersonId(buyer)


def _placing(wanted: Wanted) -> Placing:
    lines = tuple(LineDraft(SkuId(line.sku), line.quantity, _token(line)) for line in wanted.lines)
    draft = OrderDraft(id_of(wanted.id), lines, replace(ADDRESS, region=wanted.region), wanted.total)
    return Placing(PersonId(wanted.buyer), draft, tuple(map(_placement, wanted.lines)))


def _token(line: WantedLine) -> str | None:
    """What stands for the placement in the order as it was sent."""
    return None if line.host is None else f"{line.host} shows {line.shown}"


def _placement(line: WantedLine) -> Placement | None:
    if line.host is None or line.shown is None:
        return None
    session = LiveSessionId(id_of(line.host))
    return Placement(session, ShopId(1), ProductId(line.shown), PersonId(line.host), START)


def _asking(order: int, asked: Asked, by_shop: bool) -> Asking:
    lines = asked.lines and tuple(RefundLineDraft(*line) for line in asked.lines)
    draft = RefundDraft(id_of(asked.id), asked.kind, "不想要了", lines, asked.freight)  # type: ignore[arg-type]
    person = PersonId(asked.person)
    return Asking(id_of(order), draft, person, None if by_shop else person)
