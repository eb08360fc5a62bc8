-- version 1

-- distribute orders.freight_rule by shop_id
CREATE TABLE orders.freight_rule (
    shop_id       bigint PRIMARY KEY,
    flat_fen      bigint NOT NULL CHECK (flat_fen >= 0),
    free_from_fen bigint CHECK (free_from_fen >= 0),
    regions       jsonb  NOT NULL DEFAULT '{}'
);

-- fillfactor leaves room for the row to be paid, shipped and received in its own page: no index names a column
-- that these change, so no index is touched.
-- distribute orders.shop_order by shop_id
CREATE TABLE orders.shop_order (
    shop_id              bigint NOT NULL,
    id                   uuid   NOT NULL,
    content_hash         bytea  NOT NULL CHECK (length(content_hash) = 16),
    buyer_id             bigint NOT NULL,
    state                text   NOT NULL CHECK (state IN
                             ('placed', 'paid', 'shipped', 'received', 'completed', 'cancelled', 'refunded')),
    goods_fen            bigint NOT NULL CHECK (goods_fen >= 0),
    freight_fen          bigint NOT NULL CHECK (freight_fen >= 0),
    total_fen            bigint NOT NULL CHECK (total_fen > 0),
    refunded_fen         bigint NOT NULL DEFAULT 0,
    refunded_freight_fen bigint NOT NULL DEFAULT 0,
    address              jsonb  NOT NULL,
    note                 text   NOT NULL,
    placed_at            timestamptz NOT NULL,
    expires_at           timestamptz NOT NULL,
    paid_at              timestamptz,
    payment_shop_id      bigint,
    payment_id           uuid,
    shipped_at           timestamptz,
    carrier              text,
    tracking_number      text,
    received_at          timestamptz,
    closed_at            timestamptz,
    cancel_reason        text CHECK (cancel_reason IN ('buyer', 'timeout')),
    PRIMARY KEY (shop_id, id),
    CONSTRAINT order_total CHECK (total_fen = goods_fen + freight_fen),
    CONSTRAINT order_refunds CHECK (refunded_fen BETWEEN 0 AND total_fen
                                    AND refunded_freight_fen BETWEEN 0 AND freight_fen),
    CONSTRAINT order_paid CHECK ((paid_at IS NOT NULL) = (state NOT IN ('placed', 'cancelled'))
                                 AND (paid_at IS NULL) = (payment_id IS NULL)),
    CONSTRAINT order_unpaid_not_refunded CHECK (refunded_fen = 0 OR paid_at IS NOT NULL),
    CONSTRAINT order_shipped CHECK (state NOT IN ('shipped', 'received', 'completed') OR shipped_at IS NOT NULL),
    CONSTRAINT order_received CHECK (state NOT IN ('received', 'completed') OR received_at IS NOT NULL),
    CONSTRAINT order_refunded CHECK (state <> 'refunded' OR refunded_fen = total_fen),
    CONSTRAINT order_cancelled CHECK ((cancel_reason IS NOT NULL) = (state = 'cancelled'))
) WITH (fillfactor = 70);
CREATE INDEX shop_order_by_buyer ON orders.shop_order (buyer_id, placed_at, id);
CREATE INDEX shop_order_by_time ON orders.shop_order (shop_id, placed_at, id);

-- What was sold, frozen at placing: nothing here is computed again from today's prices or terms.
-- distribute orders.line by shop_id
CREATE TABLE orders.line (
    shop_id           bigint   NOT NULL,
    order_id          uuid     NOT NULL,
    line_no           smallint NOT NULL CHECK (line_no > 0),
    sku_id            bigint   NOT NULL,
    product_id        bigint   NOT NULL,
    title             text     NOT NULL,
    spec              text     NOT NULL,
    quantity          bigint   NOT NULL CHECK (quantity > 0),
    price_fen         bigint   NOT NULL CHECK (price_fen >= 0),
    list_price_fen    bigint   NOT NULL CHECK (list_price_fen >= 0),
    goods_fen         bigint   NOT NULL,
    refunded_fen      bigint   NOT NULL DEFAULT 0,
    returned_quantity bigint   NOT NULL DEFAULT 0,
    live_session_id   uuid,
    creator_id        bigint,
    limited           boolean  NOT NULL,
    PRIMARY KEY (shop_id, order_id, line_no),
    CONSTRAINT line_goods CHECK (goods_fen = price_fen * quantity),
    CONSTRAINT line_refunds CHECK (refunded_fen BETWEEN 0 AND goods_fen),
    CONSTRAINT line_returns CHECK (returned_quantity BETWEEN 0 AND quantity),
    CONSTRAINT line_placement CHECK ((live_session_id IS NULL) = (creator_id IS NULL))
) WITH (fillfactor = 90);

-- When an order is next looked at by itself: shipped ones count as received, received ones complete.
-- A table of its own, because an index on the order's state would make every change of state touch every index.
-- distribute orders.deadline by shop_id
CREATE TABLE orders.deadline (
    shop_id  bigint NOT NULL,
    order_id uuid   NOT NULL,
    due_at   timestamptz NOT NULL,
    PRIMARY KEY (shop_id, order_id)
);
CREATE INDEX deadline_by_time ON orders.deadline (due_at, shop_id, order_id);

-- After-sales: what a buyer asks back of a paid order.
-- distribute orders.refund by shop_id
CREATE TABLE orders.refund (
    shop_id      bigint NOT NULL,
    id           uuid   NOT NULL,
    content_hash bytea  NOT NULL CHECK (length(content_hash) = 16),
    order_id     uuid   NOT NULL,
    kind         text   NOT NULL CHECK (kind IN ('refund_only', 'return')),
    state        text   NOT NULL CHECK (state IN
                     ('requested', 'awaiting_return', 'refunding', 'refunded', 'declined', 'withdrawn')),
    freight_fen  bigint NOT NULL CHECK (freight_fen >= 0),
    amount_fen   bigint NOT NULL CHECK (amount_fen > 0),
    reason       text   NOT NULL,
    answer       text   NOT NULL DEFAULT '',
    asked_by     bigint NOT NULL,
    asked_at     timestamptz NOT NULL,
    decided_at   timestamptz,
    refunded_at  timestamptz,
    PRIMARY KEY (shop_id, id)
);
CREATE INDEX refund_by_order ON orders.refund (shop_id, order_id);
CREATE INDEX refund_by_time ON orders.refund (shop_id, asked_at, id);
CREATE INDEX refund_by_state ON orders.refund (shop_id, state, asked_at, id);

-- distribute orders.refund_line by shop_id
CREATE TABLE orders.refund_line (
    shop_id    bigint   NOT NULL,
    refund_id  uuid     NOT NULL,
    line_no    smallint NOT NULL,
    quantity   bigint   NOT NULL CHECK (quantity >= 0),
    amount_fen bigint   NOT NULL CHECK (amount_fen >= 0),
    PRIMARY KEY (shop_id, refund_id, line_no)
);

-- Money that came for an order which could not take it (cancelled and sold out, or paid twice): sent back at once.
-- distribute orders.stray_payment by shop_id
CREATE TABLE orders.stray_payment (
    shop_id         bigint NOT NULL,
    id              uuid   NOT NULL,
    order_id        uuid   NOT NULL,
    payment_shop_id bigint NOT NULL,
    payment_id      uuid   NOT NULL,
    amount_fen      bigint NOT NULL CHECK (amount_fen > 0),
    reason          text   NOT NULL CHECK (reason IN ('cancelled', 'sold_out', 'paid_twice')),
    arrived_at      timestamptz NOT NULL,
    refunded_at     timestamptz,
    PRIMARY KEY (shop_id, id),
    UNIQUE (shop_id, order_id, payment_shop_id, payment_id)
);

-- version 2

-- Citus wants foreign keys between distributed tables added after distribution, hence a step of their own.
ALTER TABLE orders.refund
    ADD CONSTRAINT refund_of_order FOREIGN KEY (shop_id, order_id) REFERENCES orders.shop_order (shop_id, id);
ALTER TABLE orders.refund_line
    ADD CONSTRAINT line_of_refund FOREIGN KEY (shop_id, refund_id) REFERENCES orders.refund (shop_id, id);

-- version 3

-- Terms, frozen at placing. subsidies: what each funder puts on top of what the buyer pays for the line, as
-- [{"campaign_id", "funder_id", "amount_fen", "in_base"}]; evidence: what attribution decided from, and attribution why
-- earner_id, or nobody, earns a commission; window_s: the after-sales window, NULL for the platform's own; reserved_quantity:
-- how many came from the stock kept for creators outside the head.
ALTER TABLE orders.line
    ADD COLUMN window_s integer CHECK (window_s >= 0),
    ADD COLUMN seller text NOT NULL DEFAULT 'shop' CHECK (seller IN ('shop', 'supplier')),
    ADD COLUMN fee_ppm integer NOT NULL DEFAULT 0 CHECK (fee_ppm BETWEEN 0 AND 1000000),
    ADD COLUMN fee_rule_id bigint,
    ADD COLUMN subsidy_fen bigint NOT NULL DEFAULT 0,
    ADD COLUMN subsidies jsonb,
    ADD COLUMN evidence jsonb,
    ADD COLUMN attribution text CHECK (attribution <> ''),
    ADD COLUMN earner_id bigint,
    ADD COLUMN plan_id bigint,
    ADD COLUMN plan_version integer CHECK (plan_version >= 1),
    ADD COLUMN creator_ppm integer CHECK (creator_ppm BETWEEN 0 AND 1000000),
    ADD COLUMN alliance_ppm integer CHECK (alliance_ppm BETWEEN 0 AND 1000000),
    ADD COLUMN mcn_id bigint,
    ADD COLUMN mcn_ppm integer CHECK (mcn_ppm BETWEEN 0 AND 1000000),
    ADD COLUMN agency_id bigint,
    ADD COLUMN agency_ppm integer CHECK (agency_ppm BETWEEN 0 AND 1000000),
    ADD COLUMN reserved_quantity bigint NOT NULL DEFAULT 0,
    DROP CONSTRAINT line_refunds,
    ADD CONSTRAINT line_subsidy CHECK (subsidy_fen >= 0 AND (subsidy_fen = 0 OR subsidy_fen < goods_fen)
                                       AND (subsidy_fen > 0) = (subsidies IS NOT NULL)),
    ADD CONSTRAINT line_refunds CHECK (refunded_fen BETWEEN 0 AND goods_fen - subsidy_fen),
    ADD CONSTRAINT line_attribution CHECK ((attribution IS NULL) = (evidence IS NULL)
                                           AND (earner_id IS NULL OR attribution IS NOT NULL)),
    ADD CONSTRAINT line_commission CHECK ((earner_id IS NULL) = (plan_id IS NULL)
                                          AND (earner_id IS NULL) = (plan_version IS NULL)
                                          AND (earner_id IS NULL) = (creator_ppm IS NULL)
                                          AND (earner_id IS NULL) = (alliance_ppm IS NULL)
                                          AND (mcn_id IS NULL) = (mcn_ppm IS NULL)
                                          AND (agency_id IS NULL) = (agency_ppm IS NULL)
                                          AND (earner_id IS NOT NULL OR (mcn_id IS NULL AND agency_id IS NULL))),
    ADD CONSTRAINT line_rates CHECK (fee_ppm + coalesce(creator_ppm, 0) + coalesce(agency_ppm, 0) <= 1000000),
    ADD CONSTRAINT line_reserved CHECK (reserved_quantity BETWEEN 0 AND quantity);
ALTER TABLE orders.shop_order
    ADD COLUMN subsidy_fen bigint NOT NULL DEFAULT 0 CHECK (subsidy_fen >= 0),
    DROP CONSTRAINT order_total,
    ADD CONSTRAINT order_total CHECK (total_fen = goods_fen - subsidy_fen + freight_fen);
ALTER TABLE orders.stray_payment
    DROP CONSTRAINT stray_payment_reason_check,
    ADD CONSTRAINT stray_payment_reason CHECK (reason IN ('cancelled', 'sold_out', 'paid_twice', 'subsidy_over'));
