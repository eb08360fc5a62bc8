"""The alliance 联盟: commission plans, who picks and shows what, and which creator a sale is owed to.

Invariants: a product has one live plan of a kind (an activity: one per agency); a plan's versions are never edited and
at any moment one of them is in force; a raise takes effect at once, a cut or an end at the next midnight in China;
while an exclusive plan is in force nobody else earns; a creator earns only by what they have picked.
"""

from fairwind.alliance.attribution import CLICKS_MAX, Click, Decision, Evidence, Shown, attribute, explain
from fairwind.alliance.commands.ratings import rate
from fairwind.alliance.commission import OWN_PURCHASE, Commission, Commissions
from fairwind.alliance.decided import DecidedLine, Difference, replay
from fairwind.alliance.quality import TRANSITIONS as NOMINATION_TRANSITIONS
from fairwind.alliance.quality import NominationState
from fairwind.alliance.rating import Rating, RatingClosed, RatingDraft, Reviewing
from fairwind.alliance.reasons import COMMISSION_CODES, REASONS
from fairwind.alliance.reserve import Reserves
from fairwind.alliance.sample import TRANSITIONS as SAMPLE_TRANSITIONS
from fairwind.alliance.sample import SampleState
from fairwind.alliance.store.commissions import commissions
from fairwind.alliance.store.links import clicks
from fairwind.alliance.store.reserves import reserves_locked, reserves_saved
from fairwind.alliance.wiring import wire

__all__ = [
    "CLICKS_MAX",
    "COMMISSION_CODES",
    "NOMINATION_TRANSITIONS",
    "OWN_PURCHASE",
    "REASONS",
    "SAMPLE_TRANSITIONS",
    "Click",
    "Commission",
    "Commissions",
    "DecidedLine",
    "Decision",
    "Difference",
    "Evidence",
    "NominationState",
    "Rating",
    "RatingClosed",
    "RatingDraft",
    "Reserves",
    "Reviewing",
    "SampleState",
    "Shown",
    "attribute",
    "clicks",
    "commissions",
    "explain",
    "rate",
    "replay",
    "reserves_locked",
    "reserves_saved",
    "wire",
]
