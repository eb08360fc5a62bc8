"""What settlement adds to the app."""

from __future__ import annotations

from typing import Any

from fairwind.kernel import Platform, Wiring
from fairwind.payments import callback_url, sandbox_client
from fairwind.settlement.client import NAME, SandboxPayouts
from fairwind.settlement.commands.closing import Periods
from fairwind.settlement.commands.earnings import Earnings, note_earnings
from fairwind.settlement.commands.payouts import PAID_OUT
from fairwind.settlement.commands.settling import claw_back
from fairwind.settlement.commands.statements import Statements
from fairwind.settlement.commands.sweeps import note_paid_out
from fairwind.settlement.commands.withholdings import Withholdings
from fairwind.settlement.jobs import PayingOut
from fairwind.settlement.payouts import Payouts
from fairwind.settlement.routes import breakdowns as breakdown_routes
from fairwind.settlement.routes import earnings as earning_routes
from fairwind.settlement.routes import payouts as payout_routes
from fairwind.settlement.routes import statements as statement_routes
from fairwind.settlement.routes import withholdings as withholding_routes
from fairwind.settlement.settlement import Settlement
from fairwind.settlement.store.payouts import owed_by

_SETTLE_PAUSE_S = 5.0
_MOVE_PAUSE_S = 1.0
_CLOSE_PAUSE_S = 60.0
_END_PAUSE_S = 10.0


def wire(platform: Platform) -> Wiring:
    _settle(platform)
    handlers: list[Any] = [
        *breakdown_routes.HANDLERS,
        *payout_routes.HANDLERS,
        *statement_routes.HANDLERS,
        *earning_routes.HANDLERS,
        *withholding_routes.HANDLERS,
    ]
    return Wiring(handlers=handlers, provides={"payouts": _payouts(platform), **_told(platform)})


def _settle(platform: Platform) -> None:
    settlement = Settlement(platform)
    platform.relay.subscribe("orders.received", settlement.note_due)
    platform.every(_SETTLE_PAUSE_S, "settle_due", settlement.settle_due)
    platform.provided["orders"].back_by(claw_back, owed_by)


def _told(platform: Platform) -> dict[str, Any]:
    """What tells payees of their money: statements and when they close, earnings, and what is withheld."""
    periods, withholdings = Periods(platform), Withholdings(platform)
    platform.relay.subscribe("orders.paid", note_earnings)
    platform.every(_CLOSE_PAUSE_S, "close_periods", periods.close_periods)
    platform.every(_END_PAUSE_S, "end_withholdings", withholdings.end_withholdings)
    return {
        "statements": Statements(platform),
        "periods": periods,
        "earnings": Earnings(platform),
        "withholdings": withholdings,
    }


def _payouts(platform: Platform) -> Payouts:
    client = sandbox_client(platform)
    platform.at_stop(client.close)
    provider = SandboxPayouts(client, callback_url=callback_url(platform.settings, f"/payouts/callbacks/{NAME}"))
    payouts = Payouts(platform, {NAME: provider}, platform.settings.provider)
    paying_out = PayingOut(platform, payouts)
    platform.relay.subscribe(PAID_OUT, note_paid_out)
    platform.every(_gather_pause_s(platform.settings.payout_every_s), "gather_payouts", paying_out.gather)
    platform.every(_MOVE_PAUSE_S, "move_payouts", paying_out.move)
    return payouts


def _gather_pause_s(payout_every_s: int) -> float:
    """How often to look whether a book has its turn: a look reads along all accounts, and a late turn costs little."""
    return min(60.0, max(1.0, payout_every_s / 1000))
