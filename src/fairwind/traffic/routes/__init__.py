"""Traffic over HTTP."""

from fairwind.traffic.routes import feed, policies, standings

HANDLERS = (*feed.HANDLERS, *standings.HANDLERS, *policies.HANDLERS)
