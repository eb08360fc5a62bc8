"""The policy over HTTP."""

from fairwind.policy.routes import campaigns, fees, programmes

HANDLERS = (*fees.HANDLERS, *programmes.HANDLERS, *campaigns.HANDLERS)
