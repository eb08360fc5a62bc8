"""The SQL of the platform's share of commissions."""

from __future__ import annotations

from typing import LiteralString

from fairwind.alliance.fee import AllianceFee
from fairwind.kernel import Query, statement

_FEE: LiteralString = "SELECT version, rate_ppm, set_by, set_at, effective_from FROM alliance.fee "


def fees(*, lock: bool = False) -> Query[list[AllianceFee]]:
    """All versions there have been, newest first; they are few."""
    return Query(
        _FEE + "ORDER BY version DESC" + (" FOR UPDATE" if lock else ""),
        (),
        lambda rows: [AllianceFee(*row) for row in rows],
    )


def fee_added(fee: AllianceFee) -> Query[None]:
    return statement(
        "INSERT INTO alliance.fee (version, rate_ppm, set_by, set_at, effective_from) VALUES (%s, %s, %s, %s, %s)",
        (fee.version, fee.rate_ppm, fee.set_by, fee.set_at, fee.effective_from),
    )
