"""Channel comparison 渠道对比: what the same good nets through each channel. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from fairwind.catalog import Channel
from fairwind.kernel import Fen, Ppm, day_in_china, portion
from fairwind.policy.fees import FeeRule
from fairwind.policy.programme import Programme, supports
from fairwind.policy.quote import Place, Quote, quote
from fairwind.policy.schedule import AGE_MAX_DAYS
from fairwind.policy.terms import ShopTerms


class ChannelNet(msgspec.Struct, frozen=True):
    """What a good nets through a channel: net_fen = price − fee − commission, both rounded down.

    new: for a shop on its first day, where that makes a difference; else for one that has been there for long.
    """

    channel: Channel
    new: bool
    rate_ppm: Ppm
    fee_fen: Fen
    commission_fen: Fen
    net_fen: Fen
    reason_en: str
    reason_zh: str


class Comparison(msgspec.Struct, frozen=True):
    """What one good nets through each channel, the best first."""

    at: datetime
    price_fen: Fen
    commission_ppm: Ppm
    rows: list[ChannelNet]


def compare(
    price_fen: Fen,
    commission_ppm: Ppm,
    place: Place,
    rules: Sequence[FeeRule],
    programmes: Sequence[Programme],
    at: datetime,
) -> Comparison:
    """Compare the channels for a good, with the rules and programmes in force at `at`.

    Supports that a shop must first earn are left out. Of equal nets the order of channels decides, the new shop first.
    """
    rows: list[ChannelNet] = []
    for channel in Channel:
        young, old = (
            quote(_terms(channel, age_days, rules, programmes, at), price_fen, place, at)
            for age_days in (0, AGE_MAX_DAYS + 1)
        )
        if young.rate_ppm != old.rate_ppm:
            rows.append(_net(channel, young, commission_ppm, is_new=True))
        rows.append(_net(channel, old, commission_ppm, is_new=False))
    rows.sort(key=lambda row: -row.net_fen)
    return Comparison(at, price_fen, commission_ppm, rows)


def _terms(
    channel: Channel, age_days: int, rules: Sequence[FeeRule], programmes: Sequence[Programme], at: datetime
) -> ShopTerms:
    """The terms of a shop that is so old and has earned nothing."""
    opened_on = day_in_china(at) - timedelta(days=age_days)
    ours = [rule for rule in rules if rule.channel is channel]
    return ShopTerms(channel, age_days, ours, supports(programmes, channel, opened_on, {}, at), {})


def _net(channel: Channel, fee: Quote, commission_ppm: Ppm, *, is_new: bool) -> ChannelNet:
    commission_fen = portion(fee.amount_fen, commission_ppm)
    return ChannelNet(
        channel=channel,
        new=is_new,
        rate_ppm=fee.rate_ppm,
        fee_fen=fee.fee_fen,
        commission_fen=commission_fen,
        net_fen=Fen(fee.amount_fen - fee.fee_fen - commission_fen),
        reason_en=fee.reason_en,
        reason_zh=fee.reason_zh,
    )
