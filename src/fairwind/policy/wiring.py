"""What the policy adds to the app."""

from __future__ import annotations

from fairwind.kernel import Platform, Wiring
from fairwind.policy.commands.campaigns import end_over
from fairwind.policy.commands.facts import count_paid, count_refunds
from fairwind.policy.commands.purses import return_unused
from fairwind.policy.policy import Policy
from fairwind.policy.routes import HANDLERS


def wire(platform: Platform) -> Wiring:
    policy = Policy(platform)
    platform.relay.subscribe("orders.paid", count_paid)
    platform.relay.subscribe("orders.refund_agreed", count_refunds)
    platform.every(5.0, "assess_shops", policy.assess_shops)

    async def tidy_campaigns() -> None:
        now = platform.clock.now()
        await end_over(platform.database, now)
        await return_unused(platform.database, now)

    platform.every(5.0, "tidy_campaigns", tidy_campaigns)
    return Wiring(handlers=HANDLERS, provides={"policy": policy})
