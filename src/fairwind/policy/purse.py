"""The purse: what campaigns have left for the buyers of one shop, in memory while a batch works on it. Pure.

Money of a funder lies in three places: with the campaign (the rest of its budget), in the shop's allotment, and spent.
A batch spends from the shop's allotment under its lock, and draws more from the rest only when that runs low, so that
shops do not wait for each other and no budget is overspent by a fen. While the rest is large it draws ahead; otherwise
what it spends, so that orders that are refused leave nothing of a scarce budget in their shop.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from fairwind.kernel import CampaignId, CategoryId, Fen, PersonId, Ppm, ProductId, ShopId, SkuId, split
from fairwind.policy.campaign import Terms

Key = tuple[CampaignId, int]
"""A campaign, and a funder of it or a buyer who profits from it."""

_BATCHES_AHEAD = 64
_REST_PARTS = 64


class Grant(msgspec.Struct, frozen=True):
    """What one funder of a campaign pays of a line, or of a part of it. in_base: it counts towards commissions.

    funder_id: 0 for the platform, else a shop's or supplier's shop id.
    """

    campaign_id: CampaignId
    funder_id: int
    amount_fen: Fen
    in_base: bool


class Ware(msgspec.Struct, frozen=True):
    """A line as campaigns see it. parent_id: the category above the product's own."""

    sku_id: SkuId
    product_id: ProductId
    category_id: CategoryId | None
    parent_id: CategoryId | None
    price_fen: Fen
    quantity: int


class Pot:
    """What a shop has of one funder's budget, and what a batch changes of it.

    left_fen: drawn and not spent; None when the shop has no allotment yet. rest_fen: what the campaign has yet to hand
    out, as last seen; the batch has it at hand once it is locked. ends_at: when the campaign's period is over. stopped:
    the funder gives no more, though what was given may come back.
    """

    __slots__ = (
        "at_hand_fen",
        "drawn_fen",
        "ends_at",
        "given_back_fen",
        "in_base",
        "left_fen",
        "opened",
        "rest_fen",
        "share_ppm",
        "spent_fen",
        "stopped",
    )

    def __init__(
        self,
        left_fen: int | None,
        rest_fen: int,
        *,
        share_ppm: int = 0,
        in_base: bool = True,
        stopped: bool = False,
        ends_at: datetime | None = None,
    ) -> None:
        self.opened = left_fen is not None
        self.left_fen = left_fen or 0
        self.rest_fen = rest_fen
        self.at_hand_fen = 0
        self.ends_at = ends_at
        self.share_ppm = Ppm(share_ppm)
        self.in_base = in_base
        self.stopped = stopped
        self.drawn_fen = 0
        self.spent_fen = 0
        self.given_back_fen = 0

    def open(self, left_fen: int) -> None:
        """The shop has an allotment now, which is locked."""
        self.opened, self.left_fen = True, left_fen

    def reach(self, rest_fen: int) -> None:
        """The rest is this much and locked: the batch may draw of it."""
        self.rest_fen = self.at_hand_fen = rest_fen

    def pays(self, amount_fen: int) -> bool:
        """Whether so much can be spent, what can be drawn for it included."""
        return amount_fen <= self.left_fen + self.at_hand_fen

    def draw(self, amount_fen: int) -> None:
        """Take amount_fen of the rest that is at hand."""
        assert 0 <= amount_fen <= self.at_hand_fen
        self.rest_fen -= amount_fen
        self.at_hand_fen -= amount_fen
        self.left_fen += amount_fen
        self.drawn_fen += amount_fen

    def spend(self, amount_fen: int) -> None:
        """Spend what is left, and draw what that lacks."""
        if amount_fen > self.left_fen:
            self.draw(amount_fen - self.left_fen)
        assert amount_fen >= 0
        self.left_fen -= amount_fen
        self.spent_fen += amount_fen

    def give_back(self, amount_fen: int) -> None:
        self.left_fen += amount_fen
        self.given_back_fen += amount_fen


class Parts(NamedTuple):
    """A subsidy by its funders: together amount_fen."""

    amount_fen: Fen
    grants: tuple[Grant, ...]
    pots: tuple[tuple[Pot, int], ...]


class Offered(NamedTuple):
    """What a campaign would give for a line, caps and budgets aside."""

    campaign_id: CampaignId
    amount_fen: Fen


def tranche_fen(lacking_fen: int, need_fen: int, rest_fen: int) -> int:
    """How much a shop draws ahead of a budget when its batch may need need_fen, of which it lacks lacking_fen.

    For many batches while the rest is large, and never more than a small part of it. When that would not do, nothing:
    then a batch draws what it spends, so that nothing lies in a shop for orders that are refused in the end.
    """
    assert 0 < lacking_fen <= need_fen
    ahead_fen = min(need_fen * _BATCHES_AHEAD, rest_fen // _REST_PARTS)
    return ahead_fen if ahead_fen >= lacking_fen else 0


class Purse:
    """What campaigns have left for a shop: each order takes from what the orders before it left.

    terms: the campaigns that run. pots: by campaign and funder, locked. What it collects is saved once for the whole
    batch. `prepare` (or, for what was frozen before, the caps given here) comes before anything is granted.
    """

    def __init__(
        self,
        shop_id: ShopId,
        terms: Mapping[CampaignId, Terms],
        pots: Mapping[Key, Pot],
        caps: Mapping[Key, int] | None = None,
    ) -> None:
        self.shop_id = shop_id
        self.terms = terms
        self.pots = pots
        self.caps: dict[Key, int] = dict(caps or {})
        """What is left of the most that a buyer may have of a campaign; a pair without a cap is absent."""
        self.received: dict[Key, int] = defaultdict(int)
        """What buyers with a cap have got more, or less, through this batch."""
        self._lowest: dict[tuple[int, SkuId], Fen] = {}
        self._order_max = {id: terms.order_max_fen for id, terms in terms.items()}  # noqa: A001
        self._capped = {id for id, terms in terms.items() if terms.buyer_max_fen is not None}  # noqa: A001
        self._funders: dict[CampaignId, list[tuple[int, Pot]]] = defaultdict(list)
        for (campaign_id, funder_id), pot in sorted(pots.items(), key=lambda item: item[0]):
            self._funders[campaign_id].append((funder_id, pot))
        self._wanted: dict[tuple[SkuId, Fen, int], tuple[Offered, ...]] = {}
        self._offered: dict[tuple[SkuId, Fen, int], tuple[Offered, ...]] = {}
        self._parts: dict[Offered, Parts] = {}

    def __bool__(self) -> bool:
        return bool(self.pots)

    # Before anything is granted: what to lock, to read and to draw.

    def guarded(self, wares: Iterable[Ware]) -> dict[int, set[SkuId]]:
        """SKUs in scope whose lowest prices are asked for, by how many days back."""
        found: dict[int, set[SkuId]] = defaultdict(set)
        for ware in wares:
            for campaign_id, _ in self._in_scope(ware):
                if days := self.terms[campaign_id].guard_days:
                    found[days].add(ware.sku_id)
        return found

    def told(self, days: int, lowest: Mapping[SkuId, Fen]) -> None:
        """These are the lowest prices of so many days, of SKUs that have had one all that time."""
        self._lowest |= {(days, sku_id): price_fen for sku_id, price_fen in lowest.items()}
        self._offered.clear()

    def buyers(self, wanted: Iterable[tuple[PersonId, Sequence[Ware]]]) -> dict[Key, Fen]:
        """Who may profit from campaigns with a cap for each buyer, with that cap."""
        found: dict[Key, Fen] = {}
        if self._capped:
            for buyer_id, wares in wanted:
                for ware in wares:
                    for campaign_id, _ in self._in_scope(ware):
                        if campaign_id in self._capped:
                            cap_fen = self.terms[campaign_id].buyer_max_fen
                            assert cap_fen is not None
                            found[campaign_id, buyer_id] = cap_fen
        return found

    def needs(self, wanted: Iterable[tuple[PersonId, Sequence[Ware]]]) -> dict[Key, int]:
        """What these orders may need of each pot, at most."""
        by_pot: dict[Key, int] = defaultdict(int)
        for _, wares in wanted:
            for ware in wares:
                for offered in self._in_scope(ware):
                    for grant in self._split(offered).grants:
                        by_pot[grant.campaign_id, grant.funder_id] += grant.amount_fen
        return by_pot

    def short(self, needs: Mapping[Key, int]) -> set[CampaignId]:
        """Campaigns whose pots hold less than is needed while there is a rest to draw from."""
        return {
            key[0] for key, need_fen in needs.items() if (pot := self.pots[key]).left_fen < need_fen and pot.rest_fen
        }

    def unopened(self, campaign_ids: Collection[CampaignId]) -> list[Key]:
        """Pots of these campaigns that stand for no allotment yet, in the order in which those are locked."""
        return sorted(key for key, pot in self.pots.items() if key[0] in campaign_ids and not pot.opened)

    def open(self, lefts: Mapping[Key, int]) -> None:
        """These allotments are there now, and locked, with what is left in each."""
        for key, left_fen in lefts.items():
            self.pots[key].open(left_fen)

    def reach(self, rests: Mapping[Key, int]) -> None:
        """These rests are locked: what is spent beyond what the shop has is drawn of them."""
        for key, rest_fen in rests.items():
            if (pot := self.pots.get(key)) is not None:
                pot.reach(rest_fen)

    def draw_ahead(self, needs: Mapping[Key, int]) -> None:
        """Draw a tranche of what is at hand where the shop may lack something, for this batch and those to come."""
        for key, need_fen in needs.items():
            pot = self.pots[key]
            if need_fen > pot.left_fen:
                pot.draw(tranche_fen(need_fen - pot.left_fen, need_fen, pot.at_hand_fen))

    def close(self, now: datetime) -> None:
        """Nothing is taken any more from campaigns whose period is over now."""
        for pot in self.pots.values():
            pot.stopped = pot.stopped or (pot.ends_at is not None and pot.ends_at <= now)

    # Granting.

    def grants(self, buyer_id: PersonId, wares: Sequence[Ware]) -> list[tuple[Grant, ...]]:
        """What funders pay of each line of one order, () for none; changes nothing.

        Each line has at most one campaign: the one that gives most, of equal ones the lower id. Caps make a subsidy
        smaller; a budget that cannot pay the whole of it pays nothing.
        """
        by_campaign: dict[CampaignId, int] = {}
        by_pot: dict[Pot, int] = {}
        found: list[tuple[Grant, ...]] = []
        for ware in wares:
            best: Parts | None = None
            for offered in self._guarded(ware):
                campaign_id = offered.campaign_id
                amount_fen: int = offered.amount_fen
                had_fen = by_campaign.get(campaign_id, 0)
                order_max_fen = self._order_max[campaign_id]
                if order_max_fen is not None and amount_fen > order_max_fen - had_fen:
                    amount_fen = order_max_fen - had_fen
                if campaign_id in self._capped:
                    amount_fen = min(amount_fen, self.caps[campaign_id, buyer_id] - had_fen)
                if amount_fen <= (best.amount_fen if best else 0):
                    continue
                parts = self._split(
                    offered if amount_fen == offered.amount_fen else Offered(campaign_id, Fen(amount_fen))
                )
                if (best is None or parts.amount_fen > best.amount_fen) and _affordable(parts, by_pot):
                    best = parts
            if best is None or not best.grants:
                found.append(())
                continue
            found.append(best.grants)
            campaign_id = best.grants[0].campaign_id
            by_campaign[campaign_id] = by_campaign.get(campaign_id, 0) + best.amount_fen
            for pot, amount in best.pots:
                by_pot[pot] = by_pot.get(pot, 0) + amount
        return found

    def take(self, buyer_id: PersonId, grants: Iterable[Grant]) -> bool:
        """Count grants as spent. False, and nothing is counted, when a funder or the buyer's cap has not that much."""
        by_pot: dict[Pot, int] = {}
        by_campaign: dict[CampaignId, int] = {}
        for grant in grants:
            pot = self.pots.get((grant.campaign_id, grant.funder_id))
            if pot is None or pot.stopped:
                return False
            by_pot[pot] = by_pot.get(pot, 0) + grant.amount_fen
            by_campaign[grant.campaign_id] = by_campaign.get(grant.campaign_id, 0) + grant.amount_fen
        for pot, amount_fen in by_pot.items():
            if not pot.pays(amount_fen):
                return False
        capped = [
            (key, amount_fen)
            for campaign_id, amount_fen in by_campaign.items()
            if (key := (campaign_id, buyer_id)) in self.caps
        ]
        for key, amount_fen in capped:
            if amount_fen > self.caps[key]:
                return False
        for pot, amount_fen in by_pot.items():
            pot.spend(amount_fen)
        for key, amount_fen in capped:
            self.caps[key] -= amount_fen
            self.received[key] += amount_fen
        return True

    def give_back(self, buyer_id: PersonId, grants: Iterable[Grant]) -> None:
        """What was taken, or a part of it, returns to its funders and to the buyer's cap."""
        for grant in grants:
            self.pots[grant.campaign_id, grant.funder_id].give_back(grant.amount_fen)
            key = (grant.campaign_id, buyer_id)
            if key in self.caps:
                self.caps[key] += grant.amount_fen
                self.received[key] -= grant.amount_fen

    def price_guarded(self, campaign_id: CampaignId, ware: Ware) -> bool:
        """Whether the guard keeps the campaign from a ware: its price was lower not long ago, or is new."""
        days = self.terms[campaign_id].guard_days
        # A new SKU's price is all the history it has: whoever raises a price could do so by listing the goods again.
        return days > 0 and ware.price_fen > self._lowest.get((days, ware.sku_id), 0)

    def price_known(self, campaign_id: CampaignId, ware: Ware) -> bool:
        """Whether a ware has had a price in all the days of the campaign's guard."""
        return (self.terms[campaign_id].guard_days, ware.sku_id) in self._lowest

    def in_scope(self, campaign_id: CampaignId, ware: Ware) -> bool:
        """Whether a ware of this shop is in the campaign's scope."""
        scope = self.terms[campaign_id].scope
        return scope.holds(self.shop_id, ware.product_id, ware.category_id, ware.parent_id)

    def of(self, campaign_id: CampaignId) -> Purse:
        """The same purse with this campaign alone, to see what it would give."""
        pots = {key: pot for key, pot in self.pots.items() if key[0] == campaign_id}
        alone = Purse(self.shop_id, {campaign_id: self.terms[campaign_id]}, pots, self.caps)
        alone._lowest = self._lowest
        return alone

    def _in_scope(self, ware: Ware) -> tuple[Offered, ...]:
        key = (ware.sku_id, ware.price_fen, ware.quantity)
        found = self._wanted.get(key)
        if found is None:
            found = self._wanted[key] = tuple(
                Offered(campaign_id, amount_fen)
                for campaign_id, terms in self.terms.items()
                if self.in_scope(campaign_id, ware) and (amount_fen := terms.amount_fen(ware.price_fen, ware.quantity))
            )
        return found

    def _guarded(self, ware: Ware) -> tuple[Offered, ...]:
        key = (ware.sku_id, ware.price_fen, ware.quantity)
        found = self._offered.get(key)
        if found is None:
            found = self._offered[key] = tuple(
                offered for offered in self._in_scope(ware) if not self.price_guarded(offered.campaign_id, ware)
            )
        return found

    def _split(self, offered: Offered) -> Parts:
        """By the funders' shares, the largest remainder first; the part of one who has stopped stays with the buyer."""
        parts = self._parts.get(offered)
        if parts is None:
            campaign_id, amount_fen = offered
            funders = self._funders[campaign_id]
            shares = zip(funders, split(amount_fen, [pot.share_ppm for _, pot in funders]), strict=True)
            paying = [(funder_id, pot, part) for (funder_id, pot), part in shares if part and not pot.stopped]
            parts = self._parts[offered] = Parts(
                Fen(sum(part for _, _, part in paying)),
                tuple(Grant(campaign_id, funder_id, part, pot.in_base) for funder_id, pot, part in paying),
                tuple((pot, part) for _, pot, part in paying),
            )
        return parts


def needs_of(grants: Iterable[Grant]) -> dict[Key, int]:
    """What grants take of each pot."""
    by_pot: dict[Key, int] = defaultdict(int)
    for grant in grants:
        by_pot[grant.campaign_id, grant.funder_id] += grant.amount_fen
    return by_pot


def _affordable(parts: Parts, by_pot: Mapping[Pot, int]) -> bool:
    return all(pot.pays(part + by_pot.get(pot, 0)) for pot, part in parts.pots)
