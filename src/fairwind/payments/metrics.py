"""What payments measure of themselves."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

NOTICES = Counter(
    "fairwind_payment_notices",
    "Providers' words about payments, by how they came and what came of them",
    ["by", "result"],
)
PROVIDER_S = Histogram(
    "fairwind_provider_seconds",
    "Time a provider took to answer",
    ["operation", "result"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
