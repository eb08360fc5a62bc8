"""What rates of a sale come to at most. Pure."""

from __future__ import annotations

from fairwind.kernel.money import PPM_WHOLE, Ppm
from fairwind.kernel.refusals import Refused

FEE_PPM_MAX = Ppm(100_000)
"""The most that the platform asks of a sale, by any schedule or programme."""
COMMISSION_PPM_MAX = Ppm(900_000)
"""What creator and agency have of a sale together, at most: with the highest fee no sale comes to more than itself."""

assert FEE_PPM_MAX + COMMISSION_PPM_MAX <= PPM_WHOLE


class RateTooHigh(Refused):
    """The rate is above what anybody may ask of a sale, or promise of it."""

    code = "rate_too_high"
    status = 422
