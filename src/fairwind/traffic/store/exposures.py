"""The SQL of the exposure log and what is counted with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime

from fairwind.kernel import PersonId, Query, Row, int_array, statement, time_array, uuid_array
from fairwind.traffic.allocator import Why
from fairwind.traffic.exposure import Exposure, HostCount, ItemCount, Key, Shown
from fairwind.traffic.onshow import Known
from fairwind.traffic.showing import Item, ItemKind, Showing


def viewers_locked(viewers: Collection[int]) -> Query[None]:
    """Let nobody else count for these viewers until the transaction ends."""
    return Query(
        "SELECT count(pg_advisory_xact_lock(viewer)) FROM (SELECT unnest(%s::bigint[]) AS viewer ORDER BY 1) AS one",
        (int_array(sorted(viewers)),),
        lambda _: None,
    )


def exposures_of(keys: Collection[Key]) -> Query[dict[Key, Exposure]]:
    """Those of these slots that were told of before; to be asked with their viewers locked."""
    return Query(
        """
        SELECT exposure.* FROM traffic.exposure JOIN unnest(%s::uuid[], %s::bigint[]) AS asked (feed_id, slot)
        USING (feed_id, slot)
        """,
        (uuid_array(feed_id for feed_id, _ in keys), int_array(slot for _, slot in keys)),
        lambda rows: {(row.feed_id, row.slot): _exposure(row) for row in rows},
    )


def _exposure(row: Row) -> Exposure:
    showing = Showing(
        row.feed_id,
        row.slot,
        row.slots,
        Item(ItemKind(row.item_kind), row.item_id),
        row.host_no,
        row.viewer,
        Why(row.why),
        row.utility,
        row.policy_version,
        row.price_version,
        row.served_at,
    )
    return Exposure(showing, row.seen_at, row.clicked, row.watch_ms)


def shown_since(viewers: Collection[int], since: datetime) -> Query[Shown]:
    """How often each of these viewers was shown each host since then."""
    return Query(
        """
        SELECT viewer, host_no, count(*) AS times FROM traffic.exposure
        WHERE viewer = ANY (%s::bigint[]) AND seen_at >= %s GROUP BY viewer, host_no
        """,
        (int_array(viewers), since),
        lambda rows: {(row.viewer, row.host_no): row.times for row in rows},
    )


def exposures_saved(exposures: Collection[Exposure]) -> Query[None]:
    """Write these down; of those that are there, what the viewer made of them."""
    shown = [each.showing for each in exposures]
    return statement(
        """
        INSERT INTO traffic.exposure
            (feed_id, slot, slots, served_at, seen_at, host_no, item_kind, item_id, viewer, why, utility,
             policy_version, price_version, clicked, watch_ms)
        SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::bigint[],
                             %s::bigint[], %s::uuid[], %s::bigint[], %s::bigint[], %s::float8[], %s::bigint[],
                             %s::bigint[], %s::boolean[], %s::bigint[])
        ON CONFLICT (feed_id, slot) DO UPDATE SET clicked = excluded.clicked, watch_ms = excluded.watch_ms
        """,
        (
            uuid_array(each.feed_id for each in shown),
            int_array(each.slot for each in shown),
            int_array(each.slots for each in shown),
            time_array(each.served_at for each in shown),
            time_array(each.seen_at for each in exposures),
            int_array(each.host_no for each in shown),
            int_array(each.item.kind for each in shown),
            uuid_array(each.item.id for each in shown),
            int_array(each.viewer for each in shown),
            int_array(each.why for each in shown),
            [each.utility for each in shown],
            int_array(each.policy_version for each in shown),
            int_array(each.price_version for each in shown),
            [each.clicked for each in exposures],
            int_array(each.watch_ms for each in exposures),
        ),
    )


def host_days_added(counts: Mapping[tuple[int, date], HostCount]) -> Query[None]:
    """Add to the days of hosts, in the order of host and day."""
    keys = sorted(counts)
    return statement(
        """
        INSERT INTO traffic.host_day AS there
            (host_no, day, impressions, by_floor, by_stage, by_welfare, clicks, watch_ms)
        SELECT * FROM unnest(%s::bigint[], %s::date[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
                             %s::bigint[], %s::bigint[])
        ON CONFLICT (host_no, day) DO UPDATE
        SET impressions = there.impressions + excluded.impressions, by_floor = there.by_floor + excluded.by_floor,
            by_stage = there.by_stage + excluded.by_stage, by_welfare = there.by_welfare + excluded.by_welfare,
            clicks = there.clicks + excluded.clicks, watch_ms = there.watch_ms + excluded.watch_ms
        """,
        (
            int_array(host_no for host_no, _ in keys),
            [day for _, day in keys],
            *(int_array(counts[key][place] for key in keys) for place in range(len(HostCount._fields))),
        ),
    )


def candidacies_added(counts: Mapping[int, int], day: date) -> Query[None]:
    """Add how often hosts could have been shown, in the order of host."""
    hosts = sorted(counts)
    return statement(
        """
        INSERT INTO traffic.host_day AS there
            (host_no, day, impressions, by_floor, by_stage, by_welfare, clicks, watch_ms, candidacies)
        SELECT host_no, %s, 0, 0, 0, 0, 0, 0, candidacies
        FROM unnest(%s::bigint[], %s::bigint[]) AS new (host_no, candidacies)
        ON CONFLICT (host_no, day) DO UPDATE SET candidacies = there.candidacies + excluded.candidacies
        """,
        (day, int_array(hosts), int_array(counts[host] for host in hosts)),
    )


def items_added(counts: Mapping[tuple[Item, int], ItemCount]) -> Query[None]:
    """Add to what is known of items, in the order of kind and id."""
    keys = sorted(counts)
    return statement(
        """
        INSERT INTO traffic.item AS there (kind, id, host_no, impressions, clicks, watch_ms, orders)
        SELECT *, 0 FROM unnest(%s::bigint[], %s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
        ON CONFLICT (kind, id) DO UPDATE
        SET impressions = there.impressions + excluded.impressions, clicks = there.clicks + excluded.clicks,
            watch_ms = there.watch_ms + excluded.watch_ms
        """,
        (
            int_array(item.kind for item, _ in keys),
            uuid_array(item.id for item, _ in keys),
            int_array(host_no for _, host_no in keys),
            *(int_array(counts[key][place] for key in keys) for place in range(len(ItemCount._fields))),
        ),
    )


def items_ordered(orders: Mapping[Item, int]) -> Query[None]:
    """Add orders to what is known of items; those that were never shown are not known."""
    items = sorted(orders)
    return statement(
        """
        UPDATE traffic.item SET orders = orders + sold.quantity
        FROM unnest(%s::bigint[], %s::uuid[], %s::bigint[]) AS sold (kind, id, quantity)
        WHERE item.kind = sold.kind AND item.id = sold.id
        """,
        (
            int_array(item.kind for item in items),
            uuid_array(item.id for item in items),
            int_array(orders[item] for item in items),
        ),
    )


def items_known() -> Query[dict[Item, Known]]:
    """What is known of all items that were ever shown."""
    return Query(
        "SELECT kind, id, host_no, impressions, clicks, orders, watch_ms FROM traffic.item",
        (),
        lambda rows: {Item(ItemKind(row.kind), row.id): Known(*row[2:]) for row in rows},
    )


def affinities_added(added: Mapping[tuple[PersonId, int], tuple[int, int, int]]) -> Query[None]:
    """Add impressions, clicks and orders to what people made of categories, in the order of person and category."""
    keys = sorted(added)
    return statement(
        """
        INSERT INTO traffic.affinity AS there (person_id, category_id, impressions, clicks, orders)
        SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
        ON CONFLICT (person_id, category_id) DO UPDATE
        SET impressions = there.impressions + excluded.impressions, clicks = there.clicks + excluded.clicks,
            orders = there.orders + excluded.orders
        """,
        (
            int_array(person_id for person_id, _ in keys),
            int_array(category_id for _, category_id in keys),
            *(int_array(added[key][place] for key in keys) for place in range(3)),
        ),
    )


Tastes = list[tuple[int, int, int, int]]
"""What somebody made of categories: id, impressions, clicks, orders."""


def affinities(person_ids: Collection[PersonId]) -> Query[dict[PersonId, Tastes]]:
    """What each of these people made of categories."""

    def read(rows: list[Row]) -> dict[PersonId, Tastes]:
        found: dict[PersonId, Tastes] = {person_id: [] for person_id in person_ids}
        for row in rows:
            found[row.person_id].append((row.category_id, row.impressions, row.clicks, row.orders))
        return found

    return Query(
        """
        SELECT person_id, category_id, impressions, clicks, orders FROM traffic.affinity
        WHERE person_id = ANY (%s::bigint[])
        """,
        (int_array(person_ids),),
        read,
    )


def exposures_forgotten(before: datetime, limit: int) -> Query[int]:
    """Drop the oldest of the log, at most limit of them; answers how many. What was counted of them stays."""
    return Query(
        """
        WITH old AS (SELECT feed_id, slot FROM traffic.exposure WHERE seen_at < %s ORDER BY seen_at LIMIT %s)
        , gone AS (DELETE FROM traffic.exposure USING old
                   WHERE exposure.feed_id = old.feed_id AND exposure.slot = old.slot RETURNING 1)
        SELECT count(*) AS gone FROM gone
        """,
        (before, limit),
        lambda rows: int(rows[0].gone),
    )
