"""The SQL of what became of campaigns' budgets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from fairwind.kernel import CampaignId, Query, Row, Transaction, int_array, time_array
from fairwind.policy.burn_down import Burnt, CampaignView, HourOfFunder, rate_since, view
from fairwind.policy.campaign import Campaign, FunderId

_HOURS_SHOWN = timedelta(hours=72)


async def views(tx: Transaction, campaigns: Sequence[Campaign], now: datetime) -> list[CampaignView]:
    """Campaigns with what became of their budgets, the last three days by the hour."""
    burnt, hours = await tx.together(_burnt(campaigns, now), _hours(campaigns, now - _HOURS_SHOWN))
    return [view(each, burnt[each.id], hours[each.id], now) for each in campaigns]


def _burnt(campaigns: Sequence[Campaign], now: datetime) -> Query[dict[CampaignId, dict[FunderId, Burnt]]]:
    def read(rows: list[Row]) -> dict[CampaignId, dict[FunderId, Burnt]]:
        found: dict[CampaignId, dict[FunderId, Burnt]] = defaultdict(dict)
        for campaign_id, funder_id, *amounts in rows:
            found[campaign_id][funder_id] = Burnt(*amounts)
        return found

    return Query(
        """
        SELECT campaign_id, funder_id,
               sum(spent_fen)::bigint AS spent_fen, sum(given_back_fen)::bigint AS given_back_fen,
               coalesce(sum(spent_fen - given_back_fen) FILTER (WHERE minute >= since), 0)::bigint AS lately_fen
        FROM unnest(%s::bigint[], %s::timestamptz[]) AS campaign (campaign_id, since)
        JOIN policy.burn_down USING (campaign_id)
        GROUP BY campaign_id, funder_id
        """,
        (int_array(each.id for each in campaigns), time_array(rate_since(each, now) for each in campaigns)),
        read,
    )


def _hours(campaigns: Sequence[Campaign], since: datetime) -> Query[dict[CampaignId, list[HourOfFunder]]]:
    def read(rows: list[Row]) -> dict[CampaignId, list[HourOfFunder]]:
        found: dict[CampaignId, list[HourOfFunder]] = defaultdict(list)
        for campaign_id, *hour in rows:
            found[campaign_id].append(HourOfFunder(*hour))
        return found

    return Query(
        """
        SELECT campaign_id, funder_id, date_trunc('hour', minute, 'UTC') AS hour,
               sum(spent_fen)::bigint AS spent_fen, sum(given_back_fen)::bigint AS given_back_fen
        FROM policy.burn_down WHERE campaign_id = ANY (%s::bigint[]) AND minute >= %s
        GROUP BY campaign_id, funder_id, hour ORDER BY hour, campaign_id, funder_id
        """,
        (int_array(each.id for each in campaigns), since),
        read,
    )
