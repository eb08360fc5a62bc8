"""Campaigns as plain Python: who adds how much to which line, and what is left.

How much a shop draws ahead is not foretold: after each step the model is told, and sees that no budget is overdrawn.
A line can have what the shop has drawn and not spent, and whatever is left of the budget.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Grant(NamedTuple):
    campaign: int
    funder: int
    amount: int
    in_base: bool


@dataclass(frozen=True)
class Funding:
    """One of two halves."""

    funder: int
    budget: int
    in_base: bool


@dataclass
class Campaign:
    """piece: what two funders give for each piece, half and half; the first has the odd fen."""

    id: int
    piece: int
    fundings: tuple[Funding, Funding]
    shops: frozenset[int]
    starts: int
    ends: int
    order_cap: int | None = None
    buyer_cap: int | None = None
    stopped: set[int] = field(default_factory=set)
    drawn: dict[tuple[int, int], int] = field(default_factory=dict)
    spent: Counter[tuple[int, int]] = field(default_factory=Counter)
    received: Counter[int] = field(default_factory=Counter)

    def runs(self, shop: int, now: int) -> bool:
        return shop in self.shops and self.starts <= now < self.ends and len(self.stopped) < 2

    def has(self, shop: int, funding: Funding) -> int:
        """What the shop can still have of a funder."""
        key = (shop, funding.funder)
        mine = self.drawn.get(key, 0) - self.spent[key]
        if funding.funder in self.stopped:
            return mine
        return mine + funding.budget - sum(fen for (_, funder), fen in self.drawn.items() if funder == funding.funder)

    def parts(self, amount: int) -> dict[Funding, int]:
        """Whose part is how much; that of who has stopped stays with the buyer."""
        first, second = self.fundings
        halves = {first: amount - amount // 2, second: amount // 2}
        return {funding: fen for funding, fen in halves.items() if fen and funding.funder not in self.stopped}


class Granted:
    """All campaigns, by id."""

    def __init__(self) -> None:
        self.campaigns: dict[int, Campaign] = {}

    def grants(self, shop: int, buyer: int, wares: Sequence[tuple[int, int]], now: int) -> list[tuple[Grant, ...]]:
        """What each line of an order is granted, as (price, quantity): by one campaign, whichever gives most."""
        running = [each for _, each in sorted(self.campaigns.items()) if each.runs(shop, now)]
        had: Counter[int] = Counter()
        taken: Counter[tuple[int, int]] = Counter()
        found = []
        for price, quantity in wares:
            best: tuple[Grant, ...] = ()
            for campaign in running:
                most = [campaign.piece * quantity, price * quantity - 1]
                if campaign.order_cap is not None:
                    most.append(campaign.order_cap - had[campaign.id])
                if campaign.buyer_cap is not None:
                    most.append(campaign.buyer_cap - campaign.received[buyer] - had[campaign.id])
                parts = campaign.parts(max(0, min(most)))
                if any(fen > campaign.has(shop, f) - taken[campaign.id, f.funder] for f, fen in parts.items()):
                    continue
                if sum(parts.values()) > sum(grant.amount for grant in best):
                    best = tuple(Grant(campaign.id, f.funder, fen, f.in_base) for f, fen in parts.items())
            for grant in best:
                had[grant.campaign] += grant.amount
                taken[grant.campaign, grant.funder] += grant.amount
            found.append(best)
        return found

    def take(self, shop: int, buyer: int, grants: Iterable[Grant], now: int) -> bool:
        """Spend them all, or say that not all are there any more."""
        wanted: Counter[tuple[int, int]] = Counter()
        for grant in grants:
            wanted[grant.campaign, grant.funder] += grant.amount
        for (name, funder), fen in wanted.items():
            campaign = self.campaigns[name]
            [funding] = [each for each in campaign.fundings if each.funder == funder]
            of_buyer = sum(more for (other, _), more in wanted.items() if other == name)
            if funder in campaign.stopped or campaign.ends <= now or fen > campaign.has(shop, funding):
                return False
            if campaign.buyer_cap is not None and of_buyer > campaign.buyer_cap - campaign.received[buyer]:
                return False
        self._count(shop, buyer, wanted, 1)
        return True

    def give_back(self, shop: int, buyer: int, grants: Iterable[Grant]) -> None:
        back: Counter[tuple[int, int]] = Counter()
        for grant in grants:
            back[grant.campaign, grant.funder] += grant.amount
        self._count(shop, buyer, back, -1)

    def _count(self, shop: int, buyer: int, parts: Counter[tuple[int, int]], sign: int) -> None:
        for (name, funder), fen in parts.items():
            self.campaigns[name].spent[shop, funder] += sign * fen
            if self.campaigns[name].buyer_cap is not None:
                self.campaigns[name].received[buyer] += sign * fen

    def told(self, drawn: dict[tuple[int, int, int], int]) -> None:
        """What shops have drawn, by campaign, shop and funder: as much as they spent, and no more than there is."""
        for campaign in self.campaigns.values():
            campaign.drawn = {key[1:]: fen for key, fen in drawn.items() if key[0] == campaign.id}
            for key, fen in campaign.spent.items():
                assert 0 <= fen <= campaign.drawn.get(key, 0), (campaign, key)
            for funding in campaign.fundings:
                fen = sum(fen for (_, funder), fen in campaign.drawn.items() if funder == funding.funder)
                assert fen <= funding.budget, (campaign, funding)
