"""Settlement 结算: a received order's money is shared among those who earned it, and paid out."""

from fairwind.settlement.commands.closing import Periods
from fairwind.settlement.commands.earnings import Earnings
from fairwind.settlement.commands.settling import settle
from fairwind.settlement.commands.statements import Statements
from fairwind.settlement.commands.withholdings import Withholdings
from fairwind.settlement.jobs import PayingOut
from fairwind.settlement.netting import Payee
from fairwind.settlement.payout import PAYOUT_TRANSITIONS, PaidOut, Payout
from fairwind.settlement.payouts import Payouts
from fairwind.settlement.period import PeriodClosed
from fairwind.settlement.settlement import Settlement
from fairwind.settlement.store.decided import decided_count, decided_lines
from fairwind.settlement.wiring import wire

__all__ = [
    "PAYOUT_TRANSITIONS",
    "Earnings",
    "PaidOut",
    "Payee",
    "PayingOut",
    "Payout",
    "Payouts",
    "PeriodClosed",
    "Periods",
    "Settlement",
    "Statements",
    "Withholdings",
    "decided_count",
    "decided_lines",
    "settle",
    "wire",
]
