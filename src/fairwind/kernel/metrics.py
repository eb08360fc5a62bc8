"""What Fairwind measures of itself, in Prometheus terms; the web app serves it."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

BATCH_ITEMS = Histogram("fairwind_batch_items", "Items that went through a gate together", ["gate"], buckets=_ITEMS)
BATCH_S = Histogram("fairwind_batch_seconds", "Time a batch took, commit included", ["gate"], buckets=_SECONDS)
QUEUE_WAIT_S = Histogram(
    "fairwind_queue_wait_seconds",
    "Time the oldest item of a batch waited at a gate",
    ["gate"],
    buckets=_SECONDS,
)
QUEUE_ITEMS = Gauge("fairwind_queue_items", "Items waiting at a gate", ["gate"])
COMMIT_S = Histogram("fairwind_commit_seconds", "Time a commit took", buckets=_SECONDS)
RETRIES = Counter("fairwind_transaction_retries", "Transactions tried again, by SQLSTATE", ["sqlstate"])
REFUSALS = Counter("fairwind_refusals", "Requests refused, by code", ["code"])
REQUEST_S = Histogram(
    "fairwind_request_seconds", "Time a request took", ["method", "route", "status"], buckets=_SECONDS
)
OUTBOX_EVENTS = Counter("fairwind_outbox_events", "Events relayed, by topic", ["topic"])
