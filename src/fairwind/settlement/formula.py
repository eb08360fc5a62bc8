"""How an amount on a statement comes about, in words and numbers, in English and Chinese. Pure.

A formula is only told when it gives the amount: should an entry disagree with its own terms, the words say no more than
what happened, and the audit says the rest.
"""

from __future__ import annotations

from collections.abc import Sequence

from fairwind.kernel import Fen, pro_rata
from fairwind.kernel.words import Words
from fairwind.settlement.share import Shares, share_line
from fairwind.settlement.statement import Entry, Returned, Settled, Sold

PARTS = {
    "proceeds": Words("proceeds", "货款"),
    "service_fee": Words("service fee", "技术服务费"),
    "commission": Words("commission", "佣金"),
    "alliance_fee": Words("alliance fee", "联盟服务费"),
    "mcn_share": Words("MCN share", "机构分成"),
    "agency_fee": Words("agency fee", "团长服务费"),
    "subsidy": Words("subsidy", "补贴"),
    "sweep": Words("payout", "打款"),
}
"""What an amount is called, by item."""


def rate(ppm: int) -> str:
    """20 % for 200,000 ppm; exact, whatever the rate."""
    whole, rest = divmod(ppm, 10_000)
    digits = f"{rest:04}".rstrip("0")
    return f"{whole}.{digits} %" if digits else f"{whole} %"


def fen(amount: int) -> str:
    return f"{amount:,}"


def formula(entry: Entry) -> Words:
    """How the entry's amount comes about."""
    told = None
    match entry.kind:
        case "settled" if entry.settled is not None:
            told = _settled(entry, entry.settled)
        case "clawed_back" if entry.settled is not None and entry.returned is not None:
            told = _clawed_back(entry, entry.settled, entry.returned)
        case "subsidised":
            told = _subsidised(entry)
        case "subsidy_returned":
            told = _returned_to_funder(entry.amount_fen)
        case "swept":
            told = _swept(entry)
    return told or _plain(entry)


def _plain(entry: Entry) -> Words:
    name, amount = PARTS[entry.item], fen(abs(entry.amount_fen))
    if entry.kind == "clawed_back" and entry.amount_fen < 0:
        return Words(f"{name.en} given back: {amount} fen", f"追回{name.zh} {amount} 分")
    return Words(f"{name.en}: {amount} fen", f"{name.zh} {amount} 分")


# What was settled


def _settled(entry: Entry, settled: Settled) -> Words | None:
    part_fen = _part(entry.item, settled.shares)
    if part_fen != entry.amount_fen or share_line(settled.held, settled.terms) != settled.shares:
        return None
    match entry.item:
        case "proceeds" if entry.line_no == 0 and part_fen == settled.held.escrow_fen:
            return Words(f"freight {fen(part_fen)} fen", f"运费 {fen(part_fen)} 分")
        case "proceeds":
            return _rest(settled, entry.sold)
        case "service_fee":
            return _of_base(settled, settled.terms.fee_ppm, part_fen, PARTS["service_fee"])
        case "agency_fee":
            return _of_base(settled, settled.terms.agency_ppm, part_fen, PARTS["agency_fee"])
    return _joined(_of_commission(entry.item, settled))


def _part(item: str, shares: Shares) -> Fen | None:
    return {
        "proceeds": shares.seller_fen,
        "service_fee": shares.service_fee_fen,
        "commission": shares.creator_fen,
        "alliance_fee": shares.alliance_fee_fen,
        "mcn_share": shares.mcn_fen,
        "agency_fee": shares.agency_fen,
    }.get(item)


def _of_base(settled: Settled, ppm: int, part_fen: int, name: Words) -> Words:
    base, part = fen(settled.held.base_fen), fen(part_fen)
    return Words(
        f"base {base} fen × {rate(ppm)} = {part} fen {name.en}",
        f"基数 {base} 分 × {rate(ppm)} = {name.zh} {part} 分",
    )


def _of_commission(item: str, settled: Settled) -> list[Words]:
    """A commission and what its creator passes on of it, step by step, as far as the payee is concerned."""
    terms, shares = settled.terms, settled.shares
    base, gross, ppm = fen(settled.held.base_fen), fen(shares.commission_fen), rate(terms.creator_ppm)
    steps = [Words(f"commission {ppm} of base {base} fen = {gross} fen", f"佣金 = 基数 {base} 分 × {ppm} = {gross} 分")]
    if terms.alliance_ppm:
        part, ppm = fen(shares.alliance_fee_fen), rate(terms.alliance_ppm)
        steps.append(Words(f"alliance fee {ppm} of it = {part} fen", f"联盟服务费 = 佣金 × {ppm} = {part} 分"))
    if terms.mcn_id is not None and item != "alliance_fee":
        net, part, ppm = fen(shares.mcn_fen + shares.creator_fen), fen(shares.mcn_fen), rate(terms.mcn_ppm)
        steps.append(
            Words(f"MCN {ppm} of the net {net} fen = {part} fen", f"机构分成 = 净额 {net} 分 × {ppm} = {part} 分")
        )
    if item == "commission" and len(steps) > 1:
        steps.append(Words(f"yours {fen(shares.creator_fen)} fen", f"达人所得 {fen(shares.creator_fen)} 分"))
    return steps


def _rest(settled: Settled, sold: Sold | None) -> Words:
    """What is left to the seller of all that escrow held."""
    held, shares = settled.held, settled.shares
    paid_fen = sold.paid_fen if sold else held.paid_fen
    en, zh = f"paid {fen(paid_fen)}", f"实付 {fen(paid_fen)}"
    if paid_fen > held.paid_fen:
        back = fen(paid_fen - held.paid_fen)
        en, zh = f"{en} − refunded before {back}", f"{zh} − 此前已退 {back}"
    for name, amount_fen, sign in (
        (Words("subsidies", "补贴"), held.escrow_fen - held.paid_fen, "+"),
        (PARTS["service_fee"], shares.service_fee_fen, "−"),
        (PARTS["commission"], shares.commission_fen, "−"),
        (PARTS["agency_fee"], shares.agency_fen, "−"),
    ):
        if amount_fen:
            en, zh = f"{en} {sign} {name.en} {fen(amount_fen)}", f"{zh} {sign} {name.zh} {fen(amount_fen)}"
    return Words(f"{en} = {fen(shares.seller_fen)} fen", f"{zh} = {fen(shares.seller_fen)} 分")


# What was given back


def _clawed_back(entry: Entry, settled: Settled, returned: Returned) -> Words | None:
    share_fen = _part(entry.item, settled.shares)
    if share_fen is None:
        return None
    if entry.item == "proceeds":
        return _rest_back(-entry.amount_fen, returned)
    return _share_back(-entry.amount_fen, share_fen, settled.held.paid_fen, returned)


def _share_back(amount_fen: int, share_fen: Fen, paid_fen: int, returned: Returned) -> Words | None:
    """floor(share × returned in all / paid), less what earlier refunds took of the share already."""
    now_fen = returned.before_fen + returned.returned_fen
    if not 0 < now_fen <= paid_fen:
        return None
    so_far_fen = pro_rata(share_fen, now_fen, paid_fen)
    before_fen = pro_rata(share_fen, returned.before_fen, paid_fen)
    if so_far_fen - before_fen != amount_fen:
        return None
    share, now, paid, amount = fen(share_fen), fen(now_fen), fen(paid_fen), fen(amount_fen)
    if not returned.before_fen:
        return Words(
            f"returned {now} of {paid} fen: floor({share} × {now} / {paid}) = {amount} fen",
            f"已退 {now} / {paid} 分：floor({share} × {now} / {paid}) = {amount} 分",
        )
    so_far, before = fen(so_far_fen), fen(before_fen)
    return Words(
        f"returned {now} of {paid} fen in all: floor({share} × {now} / {paid}) = {so_far}, "
        f"{before} of it before: {amount} fen",
        f"累计已退 {now} / {paid} 分：floor({share} × {now} / {paid}) = {so_far}，此前已追回 {before}：{amount} 分",
    )


def _rest_back(amount_fen: int, returned: Returned) -> Words | None:
    """What the seller gives of a refund: all that the others did not, the odd fen included."""
    others_fen = sum(returned.parts) - returned.parts.seller_fen
    if returned.returned_fen + returned.subsidies_fen - others_fen != amount_fen:
        return None
    en, zh = f"returned {fen(returned.returned_fen)}", f"退款 {fen(returned.returned_fen)}"
    if returned.subsidies_fen:
        en, zh = f"{en} + subsidies {fen(returned.subsidies_fen)}", f"{zh} + 退回补贴 {fen(returned.subsidies_fen)}"
    if others_fen:
        en, zh = f"{en} − given back by others {fen(others_fen)}", f"{zh} − 其他各方追回 {fen(others_fen)}"
    return Words(f"{en} = {fen(amount_fen)} fen", f"{zh} = {fen(amount_fen)} 分")


# What was funded and swept


def _subsidised(entry: Entry) -> Words | None:
    if sum(part.amount_fen for part in entry.funded) != -entry.amount_fen:
        return None
    return _joined(
        [
            Words(
                f"campaign {part.campaign_id}: {fen(part.amount_fen)} fen on line {part.line_no}",
                f"活动 {part.campaign_id}：第 {part.line_no} 行 {fen(part.amount_fen)} 分",
            )
            for part in entry.funded
        ]
    )


def _returned_to_funder(amount_fen: int) -> Words:
    amount = fen(amount_fen)
    return Words(f"a refund gave {amount} fen of the subsidy back", f"退款退回补贴 {amount} 分")


def _swept(entry: Entry) -> Words:
    """What left the book; it is in a payout only once one refers to it, and waits for one till then."""
    amount, waits = fen(abs(entry.amount_fen)), entry.reference is None
    if entry.amount_fen > 0 and waits:
        return Words(f"a debt of {amount} fen is carried to the next payout", f"欠款 {amount} 分结转至下次打款扣除")
    if entry.amount_fen > 0:
        return Words(f"a debt of {amount} fen was netted against a payout", f"欠款 {amount} 分已从打款中扣除")
    if waits:
        return Words(f"{amount} fen wait for the next payout", f"{amount} 分待下次打款")
    return Words(f"moved into a payout: {amount} fen", f"转入打款 {amount} 分")


def _joined(steps: Sequence[Words]) -> Words | None:
    return Words("; ".join(step.en for step in steps), "；".join(step.zh for step in steps)) if steps else None
