"""Payments 支付: what buyers pay at a provider, what the provider says of it, and money sent back.

A buyer pays on the provider's own page. Card data never touches Fairwind: no route of ours takes it, no table holds it;
what comes back is the provider's signed word that a payment succeeded or was closed.

Invariants: a payment's parts sum to its amount; its state follows one table (payment.TRANSITIONS), in which a late
success always wins and nothing undoes one; a provider's word is taken only when it is signed, names a payment made with
that provider, and names its exact amount, else it is kept as a discrepancy; the refunds of a part never exceed it;
everything is asked of the provider under an id of ours, so that asking again pays nothing twice.
"""

from fairwind.payments.client.signed import SandboxClient
from fairwind.payments.commands import create, load, record, request_refunds
from fairwind.payments.payment import (
    AmountMismatch,
    Draft,
    Misfit,
    Notice,
    PaidTwice,
    Part,
    Payment,
    PaymentFinished,
    Recorded,
    UnknownPayment,
)
from fairwind.payments.payments import Payments
from fairwind.payments.provider import CallbackMalformed, CallbackUnsigned, ProviderDown, ProviderRefused
from fairwind.payments.refund import PaymentUnpaid, Refunded, RefundRequest, RefundTooHigh
from fairwind.payments.sandbox.messages import PAYOUTS, PayoutOrder, PayoutStatus
from fairwind.payments.sandbox.process import SandboxProcess
from fairwind.payments.schedule import next_try
from fairwind.payments.wiring import callback_url, sandbox_client, sandbox_process, wire

__all__ = [
    "PAYOUTS",
    "AmountMismatch",
    "CallbackMalformed",
    "CallbackUnsigned",
    "Draft",
    "Misfit",
    "Notice",
    "PaidTwice",
    "Part",
    "Payment",
    "PaymentFinished",
    "PaymentUnpaid",
    "Payments",
    "PayoutOrder",
    "PayoutStatus",
    "ProviderDown",
    "ProviderRefused",
    "Recorded",
    "RefundRequest",
    "RefundTooHigh",
    "Refunded",
    "SandboxClient",
    "SandboxProcess",
    "UnknownPayment",
    "callback_url",
    "create",
    "load",
    "next_try",
    "record",
    "request_refunds",
    "sandbox_client",
    "sandbox_process",
    "wire",
]
