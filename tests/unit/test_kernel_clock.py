"""The day in China, and when it begins."""

from __future__ import annotations

from datetime import UTC, date, datetime

from fairwind.kernel import day_in_china, midnight_in_china


def test_a_day_in_china_begins_eight_hours_before_it_does_in_utc():
    assert day_in_china(datetime(2020, 6, 17, 15, 59, tzinfo=UTC)).isoformat() == "2020-06-17"
    assert day_in_china(datetime(2020, 6, 17, 16, 0, tzinfo=UTC)).isoformat() == "2020-06-18"
    assert midnight_in_china(date(2020, 6, 18)) == datetime(2020, 6, 17, 16, 0, tzinfo=UTC)
