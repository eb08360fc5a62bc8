"""What traffic adds to the app."""

from __future__ import annotations

from fairwind.kernel import Platform, Wiring
from fairwind.traffic.commands.exposures import count_orders
from fairwind.traffic.feed import Feed
from fairwind.traffic.jobs import Leading
from fairwind.traffic.routes import HANDLERS
from fairwind.traffic.serving import Serving
from fairwind.traffic.traffic import Traffic

_LOOK_PAUSE_S = 3.0
TURN_PAUSE_S = 1.0
_HAND_OVER_PAUSE_S = 1.0
_FORGET_PAUSE_S = 600.0


def wire(platform: Platform) -> Wiring:
    serving = Serving()
    feed, leading = Feed(platform, serving), Leading(platform, serving)
    platform.relay.subscribe("orders.paid", count_orders)
    platform.every(_LOOK_PAUSE_S, "traffic.look_around", feed.look_around)
    platform.every(TURN_PAUSE_S, "traffic.turn", leading.turn)
    platform.every(_HAND_OVER_PAUSE_S, "traffic.hand_over", feed.hand_over)
    platform.every(_FORGET_PAUSE_S, "traffic.forget", feed.forget)
    platform.at_stop(feed.hand_over)
    platform.at_stop(leading.give_up)
    return Wiring(handlers=HANDLERS, provides={"feed": feed, "leading": leading, "traffic": Traffic(platform)})
