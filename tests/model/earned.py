"""Settlement as plain Python: what each line earned whom, what was taken back, and how it was paid out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from granted import Grant
from promised import ALLIANCE_PPM, Commission, day

PUT_OFF_S = 3600
PAYOUT_MIN = 100
LINE = tuple[int, Any, int]
"""A shop, an order and the number of a line; 0 is the freight."""
Account = tuple[str, int]
"""A kind and whose it is."""
Payee = tuple[str, int]
PayoutKey = tuple[str, int, int]
"""A payout by its payee and when it was asked for: a payee has one at a time."""

PLATFORM: Payee = ("platform", 0)
PARTIES = ("service_fee", "creator", "alliance_fee", "mcn", "agency", "seller")
"""In the order in which rows name them. No agency recruits goods here."""


def cut(amount: int, part: int, whole: int) -> int:
    """The part of an amount that is part of whole, rounded down."""
    return divmod(amount * part, whole)[0]


@dataclass(frozen=True)
class Terms:
    """What a line was sold on."""

    fee: int = 0
    earner: int | None = None
    commission: Commission | None = None
    mcn: tuple[int, int] | None = None


NOTHING = Terms()
"""Those of freight: nobody but the seller earns of it."""


@dataclass
class Settled:
    """A line as it settled: what the buyer's money, with what was added, came to, and whose it is."""

    settled_at: int
    paid: int
    escrow: int
    base: int
    shares: dict[str, int]
    terms: Terms
    back: int = 0
    """How much of paid has gone back since."""
    parted: Counter[str] = field(default_factory=Counter)
    """What each party but the seller has given back so far."""


@dataclass
class Clawback:
    at: int
    returned: int
    subsidy: int
    parts: dict[str, int]
    terms: Terms


@dataclass
class Swept:
    shop: int
    payee: Payee
    amount: int
    at: int
    payout: PayoutKey | None = None
    paid_out_at: int | None = None


@dataclass
class Payout:
    amount: int
    asked_at: int
    state: str = "pending"
    attempts: int = 0
    finished_at: int | None = None


def share(paid: int, refunded: int, grants: tuple[Grant, ...], terms: Terms, now: int) -> Settled:
    """What is left of a line by its frozen terms; what others leave is the seller's."""
    left = [(grant, grant.amount - cut(grant.amount, refunded, paid)) for grant in grants]
    rest = paid - refunded
    escrow = rest + sum(fen for _, fen in left)
    base = rest + sum(fen for grant, fen in left if grant.in_base)
    shares = dict.fromkeys(PARTIES, 0)
    shares["service_fee"] = cut(base, terms.fee, 10**6)
    if terms.commission is not None:
        whole = cut(base, terms.commission.ppm, 10**6)
        shares["alliance_fee"] = cut(whole, ALLIANCE_PPM, 10**6)
        rest_of_it = whole - shares["alliance_fee"]
        shares["mcn"] = cut(rest_of_it, terms.mcn[1], 10**6) if terms.mcn else 0
        shares["creator"] = rest_of_it - shares["mcn"]
    shares["seller"] = escrow - sum(shares.values())
    return Settled(now, rest, escrow, base, shares, terms)


def account_of(party: str, terms: Terms) -> Account:
    match party:
        case "seller":
            return ("shop", 0)
        case "creator":
            assert terms.earner is not None
            return ("creator", terms.earner)
        case "mcn":
            assert terms.mcn is not None
            return ("agency", terms.mcn[0])
    return (party, 0)


def owner_of(shop: int, account: Account) -> Payee:
    kind, party = account
    if kind in ("service_fee", "alliance_fee") or account == ("subsidy", 0):
        return PLATFORM
    if kind == "shop":
        return ("shop", shop)
    return ("shop", party) if kind == "subsidy" else (kind, party)


class Earned:
    """What is due, what has settled, and what is paid out; its transfers are posted where the trade's are."""

    def __init__(self, transfers: Counter[tuple[int, Any, str, Account, Account]]) -> None:
        self.transfers = transfers
        self.due: dict[LINE, int] = {}
        self.settled: dict[LINE, Settled] = {}
        self.clawbacks: dict[tuple[int, Any, int, Any], Clawback] = {}
        self.sweeps: dict[int, int] = {}
        self.swept: list[Swept] = []
        self.payouts: dict[PayoutKey, Payout] = {}
        self.touched: dict[PayoutKey, int] = {}

    def post(self, shop: int, order: Any, reason: str, debit: Account, credit: Account, amount: int) -> None:
        assert amount >= 0
        if amount:
            self.transfers[shop, order, reason, debit, credit] += amount

    # Settling and taking back.

    def settle(self, line: LINE, paid: int, refunded: int, grants: tuple[Grant, ...], terms: Terms, now: int) -> None:
        shop, order, _ = line
        del self.due[line]
        if refunded == paid:
            return
        done = self.settled[line] = share(paid, refunded, grants, terms, now)
        shares, escrow = done.shares, ("escrow", 0)
        self.post(shop, order, "settled", escrow, ("service_fee", 0), shares["service_fee"])
        self.post(shop, order, "settled", escrow, ("shop", 0), shares["seller"])
        if terms.earner is not None:
            earner = ("creator", terms.earner)
            whole = shares["creator"] + shares["alliance_fee"] + shares["mcn"]
            self.post(shop, order, "settled", escrow, earner, whole)
            self.post(shop, order, "alliance_fee", earner, ("alliance_fee", 0), shares["alliance_fee"])
            if terms.mcn is not None:
                self.post(shop, order, "mcn_share", earner, account_of("mcn", terms), shares["mcn"])

    def give_back(self, line: LINE, refund: Any, amount: int, grants: list[Grant], now: int) -> None:
        """Money of a line goes to the buyer and to who added to it: out of escrow, or from whoever has it by now."""
        shop, order, _ = line
        there = self.settled.get(line)
        source = ("escrow", 0) if there is None else ("refund_clearing", 0)
        self.post(shop, order, "refund_agreed", source, ("buyer_refund", 0), amount)
        for grant in grants:
            self.post(shop, order, "subsidy_returned", source, ("subsidy", grant.funder), grant.amount)
        if there is None:
            return
        there.back += amount
        parts = {}
        for party in PARTIES[:-1]:
            parts[party] = cut(there.shares[party], there.back, there.paid) - there.parted[party]
            there.parted[party] += parts[party]
        subsidy = sum(grant.amount for grant in grants)
        parts["seller"] = amount + subsidy - sum(parts.values())
        for party, fen in parts.items():
            if fen > 0:
                self.post(shop, order, "clawed_back", account_of(party, there.terms), source, fen)
            elif fen < 0:
                self.post(shop, order, "clawed_back", source, account_of(party, there.terms), -fen)
        self.clawbacks[(*line, refund)] = Clawback(now, amount, subsidy, parts, there.terms)

    # Paying out.

    def gather(self, balances: dict[tuple[int, Account], int], now: int) -> None:
        """Sweep the books that have their turn today, and put what waits into payouts."""
        kinds = {"service_fee", "alliance_fee", "creator", "agency", "shop", "subsidy"}
        payable = {key: fen for key, fen in balances.items() if fen and key[1][0] in kinds}
        for shop in {shop for shop, _ in payable}:
            if shop in self.sweeps and day(self.sweeps[shop]) >= day(now):
                continue
            self.sweeps[shop] = now
            sums: Counter[Payee] = Counter()
            for (book, account), fen in payable.items():
                if book == shop:
                    out = [account, ("payout", 0)]
                    self.post(shop, None, "swept", *(out if fen > 0 else out[::-1]), abs(fen))
                    sums[owner_of(shop, account)] += fen
            self.swept += [Swept(shop, payee, fen, now) for payee, fen in sums.items() if fen]
        for payee in {each.payee for each in self.swept}:
            waiting = [each for each in self.swept if each.payee == payee and each.payout is None]
            fen = sum(each.amount for each in waiting)
            if fen >= PAYOUT_MIN:
                key = (*payee, now)
                self.payouts[key] = Payout(fen, now)
                self.touched[key] = now
                for each in waiting:
                    each.payout = key

    def claimed(self, keys: set[PayoutKey], now: int) -> None:
        """These payouts were sent or asked about: only such as are on their way, and none of them waits for long."""
        for key, payout in self.payouts.items():
            on_its_way = payout.state in ("pending", "sent")
            assert key not in keys or on_its_way, (key, payout)
            assert key in keys or not on_its_way or now - self.touched[key] <= 300, (key, payout)
            if key in keys:
                payout.attempts += 1
                self.touched[key] = now

    def payout_word(self, key: PayoutKey, attempt: int, word: str, now: int) -> list[tuple[int, int]]:
        """Hear a word; when the payout has succeeded by it, the shops that have a part in it, and the part of each."""
        payout = self.payouts[key]
        if word != "succeeded" and attempt != payout.attempts:
            return []
        following = {
            ("pending", "processing"): "sent",
            ("pending", "failed"): "failed",
            ("sent", "failed"): "failed",
            ("failed", "retry"): "pending",
            ("failed", "release"): "released",
        }
        if word == "succeeded" and payout.state in ("pending", "sent", "failed"):
            payout.state, payout.finished_at = "succeeded", now
            parts: Counter[int] = Counter()
            for each in self.swept:
                if each.payout == key:
                    parts[each.shop] += each.amount
            return sorted(parts.items())
        state = following.get((payout.state, word))
        if state is not None:
            payout.state = state
            payout.attempts += word == "retry"
            self.touched[key] = now
            payout.finished_at = now if state == "released" else None
            if state == "released":
                for each in self.swept:
                    each.payout = None if each.payout == key else each.payout
        return []

    def note_paid_out(self, shop: int, key: PayoutKey, now: int) -> None:
        for each in self.swept:
            if (each.shop, each.payout, each.paid_out_at) == (shop, key, None):
                each.paid_out_at = now
                out = [("payout", 0), ("paid_out", 0)]
                self.post(shop, None, "paid_out", *(out if each.amount > 0 else out[::-1]), abs(each.amount))
