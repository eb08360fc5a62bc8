"""Traffic 流量分配: who is shown to whom; useful to viewers, and provably fair to hosts.

Invariants: only what was served can count as seen, and each slot once; a viewer counts so often a day and no more; one
server at a time makes prices, and no request waits for it; what was counted is in the saved state or waits for it,
never in both; closed rooms and hosts that are kept out are not shown.
"""

from fairwind.traffic.allocator import Allocator, Ranking, Why
from fairwind.traffic.counts import NOTHING, Count, Delta, Exposure, delta, merged, shown
from fairwind.traffic.explanation import HostPeriod, Limit, SlotReason, explain_period, explain_request
from fairwind.traffic.leader import Leader, StageEnd
from fairwind.traffic.maxmin import Duals, descended, projected
from fairwind.traffic.measures import bottom_share, dcg_weights, gini, lorenz, min_share, top_share
from fairwind.traffic.policy import SETTINGS, TrafficPolicy, policy_of
from fairwind.traffic.prices import PriceSnapshot, unpriced
from fairwind.traffic.report import TrafficReport
from fairwind.traffic.settings import Setting
from fairwind.traffic.stages import TRANSITIONS as STAGE_TRANSITIONS
from fairwind.traffic.stages import Decision, Reason, Stage
from fairwind.traffic.traffic import day_reports
from fairwind.traffic.wiring import wire

__all__ = [
    "NOTHING",
    "SETTINGS",
    "STAGE_TRANSITIONS",
    "Allocator",
    "Count",
    "Decision",
    "Delta",
    "Duals",
    "Exposure",
    "HostPeriod",
    "Leader",
    "Limit",
    "PriceSnapshot",
    "Ranking",
    "Reason",
    "Setting",
    "SlotReason",
    "Stage",
    "StageEnd",
    "TrafficPolicy",
    "TrafficReport",
    "Why",
    "bottom_share",
    "day_reports",
    "dcg_weights",
    "delta",
    "descended",
    "explain_period",
    "explain_request",
    "gini",
    "lorenz",
    "merged",
    "min_share",
    "policy_of",
    "projected",
    "shown",
    "top_share",
    "unpriced",
    "wire",
]
