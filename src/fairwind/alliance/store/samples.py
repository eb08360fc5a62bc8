"""The SQL of samples and of what shops offer of them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import LiteralString

import msgspec

from fairwind.alliance.sample import Sample, SampleAddress, SampleId, SampleOffer, SampleState
from fairwind.kernel import (
    PersonId,
    ProductId,
    Query,
    Row,
    ShopId,
    Transaction,
    int_array,
    statement,
    text_array,
    time_array,
    uuid_array,
)
from fairwind.kernel.pages import Before

_SAMPLE: LiteralString = """
SELECT shop_id, id, product_id, creator_id, state, address, note, requested_at, message, carrier, tracking_number,
       shown_at_url, decided_at, shipped_at, received_at, show_by, closed_at
FROM alliance.sample
"""


def _sample(row: Row) -> Sample:
    shop_id, sample_id, product_id, creator_id, state, address, *rest = row
    return Sample(
        shop_id,
        sample_id,
        product_id,
        creator_id,
        SampleState(state),
        msgspec.convert(address, SampleAddress),
        *rest,
    )


def offers_locked(shop_id: ShopId, product_ids: Collection[ProductId]) -> Query[dict[ProductId, SampleOffer]]:
    """What is offered of these products, locked in the order of their ids: nobody asks or agrees meanwhile."""
    return Query(
        """
        SELECT shop_id, product_id, quantity, per_creator_max, given_quantity FROM alliance.sample_offer
        WHERE shop_id = %s AND product_id = ANY (%s::bigint[]) ORDER BY product_id FOR UPDATE
        """,
        (shop_id, int_array(product_ids)),
        lambda rows: {row.product_id: SampleOffer(*row) for row in rows},
    )


async def offer(tx: Transaction, shop_id: ShopId, product_id: ProductId) -> SampleOffer | None:
    row = await tx.row(
        """
        SELECT shop_id, product_id, quantity, per_creator_max, given_quantity FROM alliance.sample_offer
        WHERE shop_id = %s AND product_id = %s
        """,
        (shop_id, product_id),
    )
    return row and SampleOffer(*row)


async def save_offer(tx: Transaction, offered: SampleOffer) -> SampleOffer:
    """Write how many are offered; what has been given stays counted."""
    row = await tx.row(
        """
        INSERT INTO alliance.sample_offer (shop_id, product_id, quantity, per_creator_max) VALUES (%s, %s, %s, %s)
        ON CONFLICT (shop_id, product_id) DO UPDATE
        SET quantity = excluded.quantity, per_creator_max = excluded.per_creator_max
        RETURNING shop_id, product_id, quantity, per_creator_max, given_quantity
        """,
        (offered.shop_id, offered.product_id, offered.quantity, offered.per_creator_max),
    )
    assert row is not None
    return SampleOffer(*row)


def offers_given(shop_id: ShopId, offers: Collection[SampleOffer]) -> Query[None]:
    """Save how many have been given of these offers, which are locked."""
    return statement(
        """
        UPDATE alliance.sample_offer SET given_quantity = change.given_quantity
        FROM unnest(%s::bigint[], %s::integer[]) AS change (product_id, given_quantity)
        WHERE sample_offer.shop_id = %s AND sample_offer.product_id = change.product_id
        """,
        (
            int_array(offered.product_id for offered in offers),
            int_array(offered.given_quantity for offered in offers),
            shop_id,
        ),
    )


def asked_for(
    shop_id: ShopId, pairs: Collection[tuple[ProductId, PersonId]]
) -> Query[dict[tuple[ProductId, PersonId], int]]:
    """How many samples of a product a creator has or waits for; safe to read while the products' offers are locked."""
    return Query(
        """
        SELECT product_id, creator_id, count(*) AS samples FROM alliance.sample
        WHERE shop_id = %s AND state NOT IN ('declined', 'withdrawn')
          AND (product_id, creator_id) IN (SELECT * FROM unnest(%s::bigint[], %s::bigint[]))
        GROUP BY product_id, creator_id
        """,
        (
            shop_id,
            int_array(product_id for product_id, _ in pairs),
            int_array(creator_id for _, creator_id in pairs),
        ),
        lambda rows: {(row.product_id, row.creator_id): row.samples for row in rows},
    )


def samples(shop_id: ShopId, ids: Collection[SampleId]) -> Query[dict[SampleId, Sample]]:
    return Query(
        _SAMPLE + "WHERE shop_id = %s AND id = ANY (%s::uuid[])",
        (shop_id, uuid_array(ids)),
        lambda rows: {row.id: _sample(row) for row in rows},
    )


def samples_locked(shop_id: ShopId, ids: Collection[SampleId]) -> Query[dict[SampleId, Sample]]:
    return Query(
        _SAMPLE + "WHERE shop_id = %s AND id = ANY (%s::uuid[]) ORDER BY id FOR UPDATE",
        (shop_id, uuid_array(ids)),
        lambda rows: {row.id: _sample(row) for row in rows},
    )


def samples_added(shop_id: ShopId, added: Collection[Sample]) -> Query[None]:
    return statement(
        """
        INSERT INTO alliance.sample (shop_id, id, product_id, creator_id, state, address, note, requested_at)
        SELECT %s, * FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::text[], %s::jsonb[], %s::text[],
                                 %s::timestamptz[])
        """,
        (
            shop_id,
            uuid_array(sample.id for sample in added),
            int_array(sample.product_id for sample in added),
            int_array(sample.creator_id for sample in added),
            text_array(sample.state for sample in added),
            text_array(msgspec.json.encode(sample.address).decode() for sample in added),
            text_array(sample.note for sample in added),
            time_array(sample.requested_at for sample in added),
        ),
    )


def samples_saved(shop_id: ShopId, changed: Collection[Sample]) -> Query[None]:
    """Save what has happened to samples, which are locked."""
    return statement(
        """
        UPDATE alliance.sample
        SET state = change.state, message = change.message, carrier = change.carrier,
            tracking_number = change.tracking_number, shown_at_url = change.shown_at_url,
            decided_at = change.decided_at, shipped_at = change.shipped_at, received_at = change.received_at,
            show_by = change.show_by, closed_at = change.closed_at
        FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[],
                    %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])
            AS change (id, state, message, carrier, tracking_number, shown_at_url, decided_at, shipped_at,
                       received_at, show_by, closed_at)
        WHERE sample.shop_id = %s AND sample.id = change.id
        """,
        (
            uuid_array(sample.id for sample in changed),
            text_array(sample.state for sample in changed),
            text_array(sample.message for sample in changed),
            text_array(sample.carrier for sample in changed),
            text_array(sample.tracking_number for sample in changed),
            text_array(sample.shown_at_url for sample in changed),
            time_array(sample.decided_at for sample in changed),
            time_array(sample.shipped_at for sample in changed),
            time_array(sample.received_at for sample in changed),
            time_array(sample.show_by for sample in changed),
            time_array(sample.closed_at for sample in changed),
            shop_id,
        ),
    )


def overdue(now: datetime, limit: int) -> Query[dict[ShopId, list[SampleId]]]:
    """Samples that were to be shown by now and were not, by shop; the longest overdue, at most limit of them."""
    return Query(
        """
        SELECT shop_id, array_agg(id) AS ids
        FROM (SELECT shop_id, id FROM alliance.sample
              WHERE state = 'received' AND show_by <= %s ORDER BY show_by LIMIT %s) AS late
        GROUP BY shop_id ORDER BY shop_id
        """,
        (now, limit),
        lambda rows: {row.shop_id: row.ids for row in rows},
    )


async def samples_of_shop(
    tx: Transaction, shop_id: ShopId, state: SampleState | None, before: Before, limit: int
) -> list[Sample]:
    """The shop's samples, all or those in one state, newest first, before `before`."""
    rows = await tx.rows(
        _SAMPLE
        + "WHERE shop_id = %(shop_id)s AND (requested_at, id) < (%(at)s, %(id)s)\n"
        + ("" if state is None else "AND state = %(state)s\n")
        + "ORDER BY requested_at DESC, id DESC LIMIT %(limit)s",
        {"shop_id": shop_id, "state": state, "at": before[0], "id": before[1], "limit": limit},
    )
    return [_sample(row) for row in rows]


async def samples_of_creator(tx: Transaction, creator_id: PersonId, before: Before, limit: int) -> list[Sample]:
    """What a creator has asked for at all shops, newest first, before `before`."""
    rows = await tx.rows(
        _SAMPLE
        + """
        WHERE creator_id = %s AND (requested_at, id) < (%s, %s) ORDER BY requested_at DESC, id DESC LIMIT %s
        """,
        (creator_id, *before, limit),
    )
    return [_sample(row) for row in rows]
