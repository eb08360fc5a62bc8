"""The alliance over HTTP."""

from fairwind.alliance.routes import agencies, creators, links, operator, plans, quality, ratings, samples

HANDLERS = (
    *plans.HANDLERS,
    *creators.HANDLERS,
    *agencies.HANDLERS,
    *operator.HANDLERS,
    *links.HANDLERS,
    *quality.HANDLERS,
    *ratings.HANDLERS,
    *samples.HANDLERS,
)
