"""Where a host stands: what it has had, what it is promised, and what keeps it from more. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import msgspec
import numpy as np

from fairwind.kernel.words import Words
from fairwind.traffic.counts import IMPRESSIONS, Count
from fairwind.traffic.host import Host, HostKind, Suspension
from fairwind.traffic.leader import Leader
from fairwind.traffic.policy import TrafficPolicy
from fairwind.traffic.stages import STAGES, Decision, Stage, ends_at, rate_low


class HostDay(msgspec.Struct, frozen=True):
    """What came of a host on a day in China. by_utility + by_floor + by_stage + by_welfare = impressions."""

    day: date
    impressions: int
    by_utility: int
    by_floor: int
    by_stage: int
    by_welfare: int
    clicks: int
    watch_ms: int


class StageView(msgspec.Struct, frozen=True):
    """Where a host stands among stages. impressions, clicks: since it joined. needed: impressions until the stage ends.

    rate_low: what its click rate surely is above; mature_rate: what it has to beat to be promoted. null when it has
    graduated.
    """

    stage: Stage
    impressions: int | None = None
    clicks: int | None = None
    needed: int | None = None
    rate_low: float | None = None
    mature_rate: float | None = None


class StageEnded(msgspec.Struct, frozen=True):
    """How a stage ended."""

    ended_at: datetime
    decision: Decision
    reason: str


class PriceView(msgspec.Struct, frozen=True):
    """A host's price and its parts, in average slots of a viewer's best list; above 0 lifts it, below 0 lowers it."""

    price: float
    welfare: float
    floor: float
    stage: float
    cap: float


class Standing(msgspec.Struct, frozen=True):
    """Where a host stands as of `at`. no: its number in the exposure log.

    share: its part of all exposure lately, in equal shares: 1 is as much as the average active host. promised, had:
    impressions of this window that it was to have by now, and has had. candidacies: how often it could have been shown
    since it joined; impressions, clicks: since it joined. words: all this, and what keeps it from more.
    """

    no: int
    kind: HostKind
    subject_id: int
    entered_at: datetime
    at: datetime
    active: bool
    share: float
    promised: float
    had: float
    candidacies: int
    impressions: int
    clicks: int
    stage: StageView
    price: PriceView
    suspension: Suspension | None
    days: list[HostDay]
    stages_ended: list[StageEnded]
    words: list[Words]


def standing(
    leader: Leader,
    host: Host,
    policy: TrafficPolicy,
    suspension: Suspension | None,
    days: Sequence[HostDay],
    ended: Sequence[StageEnded],
    at: datetime,
) -> Standing:
    """Where the host stands by what the leader knew at `at`."""
    no = host.no
    counts, snapshot = leader.exposure.counts[no], leader.snapshot
    promised, had = leader.floor_of(no)
    active = int(np.count_nonzero(leader.active))
    lately = leader.exposure.impressions
    total = float(lately.sum())
    share = float(lately[no]) * active / total if total > 0 else 0.0
    price = PriceView(*(round(float(getattr(snapshot, name)[no]), 4) for name in PriceView.__struct_fields__))
    found = Standing(
        no=no,
        kind=host.kind,
        subject_id=host.subject_id,
        entered_at=host.entered_at,
        at=at,
        active=bool(leader.active[no]),
        share=round(share, 3),
        promised=round(promised, 1),
        had=had,
        candidacies=int(counts[Count.CANDIDACIES]),
        impressions=int(counts[IMPRESSIONS].sum()),
        clicks=int(counts[Count.CLICKS]),
        stage=_stage(leader, no, policy),
        price=price,
        suspension=suspension,
        days=list(days),
        stages_ended=list(ended),
        words=[],
    )
    return msgspec.structs.replace(found, words=_words(found))


def _stage(leader: Leader, no: int, policy: TrafficPolicy) -> StageView:
    stage = leader.stage_of(no)
    if stage is Stage.GRADUATED or STAGES.index(stage) >= len(policy.stage_impressions):
        return StageView(Stage.GRADUATED)
    impressions, clicks = leader.since_joining(no)
    return StageView(
        stage,
        impressions,
        clicks,
        max(0, ends_at(policy, stage) - impressions),
        round(rate_low(impressions, clicks, policy.promotion_confidence), 4),
        round(leader.mature_rate(), 4),
    )


def _words(found: Standing) -> list[Words]:
    """What a host wants to know, the most pressing first."""
    words = []
    if found.suspension is not None:
        words.append(
            Words(f"kept out of the feed: {found.suspension.reason}", f"已被移出推荐：{found.suspension.reason}")
        )
    if not found.active:
        words.append(
            Words("nothing to show now: go live, or put goods on the shelf", "当前没有可展示的内容：开播或上架商品即可")
        )
    stage = found.stage
    if stage.needed is not None:
        words.append(
            Words(
                f"new host, {stage.stage} stage: {stage.needed:,} more impressions until it ends; promoted when the "
                f"click rate is surely above {stage.mature_rate:.2%} (now {stage.rate_low:.2%})",
                f"新主播第 {STAGES.index(stage.stage) + 1} 阶段：还差 {stage.needed:,} 次曝光；"
                f"点击率可信下限超过 {stage.mature_rate:.2%} 即晋级（现为 {stage.rate_low:.2%}）",
            )
        )
    if found.active and found.had < found.promised:
        words.append(
            Words(
                f"{found.promised - found.had:,.0f} impressions short of the promised floor: its price is raised until "
                "they are made good",
                f"距保底还差 {found.promised - found.had:,.0f} 次曝光：系统会持续加权直至补足",
            )
        )
    if found.price.cap < 0:
        words.append(
            Words(
                "lowered: the head, or new hosts together, have more than their part",
                "已降权：头部或新主播整体超出其份额",
            )
        )
    elif found.price.welfare < 0:
        words.append(
            Words(
                f"shown {found.share:.1f} times as much as the average host; a part of that goes to hosts with less",
                f"曝光为平均水平的 {found.share:.1f} 倍；其中一部分让给曝光较少的主播",
            )
        )
    if found.candidacies and found.impressions * 10 < found.candidacies:
        words.append(
            Words(
                f"chosen {found.impressions:,} times of {found.candidacies:,} in which it could have been: others were "
                "expected to please these viewers more; more clicks and longer watching raise that",
                f"{found.candidacies:,} 次进入候选，展示 {found.impressions:,} 次：其余场次中其他内容的预期效用更高；"
                "提高点击率与观看时长可以改善",
            )
        )
    return words
