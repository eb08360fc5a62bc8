"""Policy 平台政策: what the platform asks for a sale, and what it and others add to a buyer's price.

Invariants: a schedule of fees and a support programme are never edited, and begin after they were published, so that
what was asked at a time stays known; of all rules exactly one decides the fee of a line.
"""

from fairwind.policy.commands.purses import prepare, prepare_again, purse_locked, purse_of
from fairwind.policy.comparison import Comparison
from fairwind.policy.fees import NO_FEE, Fee, FeeRule
from fairwind.policy.policy import Policy
from fairwind.policy.programme import Programme
from fairwind.policy.programme_draft import ProgrammeDraft
from fairwind.policy.purse import Grant, Purse, Ware
from fairwind.policy.reason import NO_RULE, reason_of
from fairwind.policy.schedule import ScheduleDraft
from fairwind.policy.store.purses import campaigns_locked, purse_saved
from fairwind.policy.store.terms import shop_terms, stored_rules
from fairwind.policy.terms import ShopTerms
from fairwind.policy.window import WindowDraft
from fairwind.policy.wiring import wire

__all__ = [
    "NO_FEE",
    "NO_RULE",
    "Comparison",
    "Fee",
    "FeeRule",
    "Grant",
    "Policy",
    "Programme",
    "ProgrammeDraft",
    "Purse",
    "ScheduleDraft",
    "ShopTerms",
    "Ware",
    "WindowDraft",
    "campaigns_locked",
    "prepare",
    "prepare_again",
    "purse_locked",
    "purse_of",
    "purse_saved",
    "reason_of",
    "shop_terms",
    "stored_rules",
    "wire",
]
