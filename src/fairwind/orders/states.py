"""The life of an order and of a refund: one transition table each. Pure. Nothing else may change a state."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from fairwind.kernel.states import WrongState, after, diagram

__all__ = [
    "OPEN_REFUNDS",
    "REFUND_TRANSITIONS",
    "TRANSITIONS",
    "Action",
    "RefundAction",
    "RefundState",
    "State",
    "WrongState",
    "after",
    "diagram",
]


class State(StrEnum):
    """Where an order stands."""

    PLACED = "placed"
    PAID = "paid"
    SHIPPED = "shipped"
    RECEIVED = "received"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


class Action(StrEnum):
    """What happens to an order."""

    PAY = "pay"
    CANCEL = "cancel"
    TIME_OUT = "time out"
    SHIP = "ship"
    RECEIVE = "receive"
    COMPLETE = "complete"
    REFUND_WHOLE = "refund whole"


TRANSITIONS: Mapping[tuple[State, Action], State] = {
    (State.PLACED, Action.PAY): State.PAID,
    (State.PLACED, Action.CANCEL): State.CANCELLED,
    (State.PLACED, Action.TIME_OUT): State.CANCELLED,
    # Money that comes after the hold expired still buys the goods while they last.
    (State.CANCELLED, Action.PAY): State.PAID,
    (State.PAID, Action.SHIP): State.SHIPPED,
    (State.SHIPPED, Action.RECEIVE): State.RECEIVED,
    (State.RECEIVED, Action.COMPLETE): State.COMPLETED,
    (State.PAID, Action.REFUND_WHOLE): State.REFUNDED,
    (State.SHIPPED, Action.REFUND_WHOLE): State.REFUNDED,
    (State.RECEIVED, Action.REFUND_WHOLE): State.REFUNDED,
    # The buyer may not ask any more, yet the shop may still give.
    (State.COMPLETED, Action.REFUND_WHOLE): State.REFUNDED,
}


class RefundState(StrEnum):
    """Where a refund stands."""

    REQUESTED = "requested"
    AWAITING_RETURN = "awaiting_return"
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class RefundAction(StrEnum):
    """What happens to a refund."""

    AGREE = "agree"
    AWAIT_RETURN = "await return"
    TAKE_BACK = "take back"
    DECLINE = "decline"
    WITHDRAW = "withdraw"
    CONFIRM = "confirm"


REFUND_TRANSITIONS: Mapping[tuple[RefundState, RefundAction], RefundState] = {
    (RefundState.REQUESTED, RefundAction.AGREE): RefundState.REFUNDING,
    (RefundState.REQUESTED, RefundAction.AWAIT_RETURN): RefundState.AWAITING_RETURN,
    (RefundState.AWAITING_RETURN, RefundAction.TAKE_BACK): RefundState.REFUNDING,
    (RefundState.REQUESTED, RefundAction.DECLINE): RefundState.DECLINED,
    (RefundState.AWAITING_RETURN, RefundAction.DECLINE): RefundState.DECLINED,
    (RefundState.REQUESTED, RefundAction.WITHDRAW): RefundState.WITHDRAWN,
    (RefundState.AWAITING_RETURN, RefundAction.WITHDRAW): RefundState.WITHDRAWN,
    (RefundState.REFUNDING, RefundAction.CONFIRM): RefundState.REFUNDED,
}

OPEN_REFUNDS = frozenset({RefundState.REQUESTED, RefundState.AWAITING_RETURN})
"""A refund that waits for a decision; an order has at most one."""
