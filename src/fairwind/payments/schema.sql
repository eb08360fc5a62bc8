-- version 1

-- What a buyer is to pay at a provider. ask_at: when to ask the provider what became of it, NULL when no more;
-- asks: how often it was asked. fillfactor leaves room for the row to be paid in its own page.
-- distribute payments.payment by shop_id
CREATE TABLE payments.payment (
    shop_id      bigint NOT NULL,
    id           uuid   NOT NULL,
    buyer_id     bigint NOT NULL,
    amount_fen   bigint NOT NULL CHECK (amount_fen > 0),
    state        text   NOT NULL CHECK (state IN ('created', 'succeeded', 'closed')),
    provider     text   NOT NULL CHECK (provider <> ''),
    provider_ref text   CHECK (provider_ref <> ''),
    pay_url      text   CHECK (pay_url <> ''),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    paid_at      timestamptz,
    ask_at       timestamptz,
    asks         integer NOT NULL DEFAULT 0 CHECK (asks >= 0),
    asked_at     timestamptz,
    PRIMARY KEY (shop_id, id),
    CONSTRAINT payment_succeeded CHECK ((state = 'succeeded') = (paid_at IS NOT NULL)
                                        AND (state = 'succeeded') = (provider_ref IS NOT NULL)),
    CONSTRAINT payment_not_asked_for CHECK (state <> 'succeeded' OR ask_at IS NULL)
) WITH (fillfactor = 80);
CREATE INDEX payment_to_ask ON payments.payment (ask_at) WHERE ask_at IS NOT NULL;

-- What a payment pays of each order. It lives with its payment; the order may be another shop's.
-- distribute payments.part by shop_id
CREATE TABLE payments.part (
    shop_id       bigint NOT NULL,
    payment_id    uuid   NOT NULL,
    order_shop_id bigint NOT NULL,
    order_id      uuid   NOT NULL,
    amount_fen    bigint NOT NULL CHECK (amount_fen > 0),
    PRIMARY KEY (shop_id, payment_id, order_shop_id),
    CONSTRAINT part_home_is_lowest CHECK (order_shop_id >= shop_id)
);

-- Money that a provider told of and that does not fit: kept for an operator to look at.
-- distribute payments.discrepancy by shop_id
CREATE TABLE payments.discrepancy (
    shop_id      bigint NOT NULL,
    id           uuid   NOT NULL,
    payment_id   uuid   NOT NULL,
    code         text   NOT NULL CHECK (code IN ('amount_mismatch', 'paid_twice', 'unknown_payment')),
    provider     text   NOT NULL,
    provider_ref text   NOT NULL,
    amount_fen   bigint NOT NULL,
    told_at      timestamptz NOT NULL,
    settled_at   timestamptz,
    settled_by   bigint,
    note         text,
    PRIMARY KEY (shop_id, id),
    UNIQUE (shop_id, payment_id, code, provider, provider_ref, amount_fen),
    CONSTRAINT discrepancy_settled CHECK ((settled_at IS NULL) = (settled_by IS NULL)
                                          AND (settled_at IS NULL) = (note IS NULL))
);
CREATE INDEX discrepancy_open ON payments.discrepancy (shop_id, id) WHERE settled_at IS NULL;

-- How much of an order's part has been asked back: one guarded number. It lives with the order and starts with the
-- first refund, copying the part, which never changes. A payment is known by its home and its id: buyers make the ids,
-- and may make the same one in two homes.
-- distribute payments.refund_cap by shop_id
CREATE TABLE payments.refund_cap (
    shop_id         bigint NOT NULL,
    payment_id      uuid   NOT NULL,
    order_id        uuid   NOT NULL,
    payment_shop_id bigint NOT NULL,
    provider        text   NOT NULL,
    part_fen        bigint NOT NULL,
    asked_fen       bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (shop_id, payment_shop_id, payment_id),
    UNIQUE (shop_id, payment_shop_id, payment_id, order_id),
    CONSTRAINT refund_cap_kept CHECK (asked_fen BETWEEN 0 AND part_fen)
);

-- next_try_at: when to send it or to ask for it, NULL when the provider is not to be spoken to.
-- distribute payments.refund by shop_id
CREATE TABLE payments.refund (
    shop_id         bigint NOT NULL,
    id              uuid   NOT NULL,
    payment_shop_id bigint NOT NULL,
    payment_id      uuid   NOT NULL,
    order_id        uuid   NOT NULL,
    amount_fen      bigint NOT NULL CHECK (amount_fen > 0),
    provider        text   NOT NULL CHECK (provider <> ''),
    state           text   NOT NULL CHECK (state IN ('pending', 'sent', 'succeeded', 'failed')),
    reason          text   CHECK (reason <> ''),
    attempts        integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_try_at     timestamptz,
    requested_at    timestamptz NOT NULL,
    finished_at     timestamptz,
    PRIMARY KEY (shop_id, id),
    CONSTRAINT refund_tried CHECK ((state IN ('pending', 'sent')) = (next_try_at IS NOT NULL)),
    CONSTRAINT refund_finished CHECK ((state = 'succeeded') = (finished_at IS NOT NULL)),
    CONSTRAINT refund_failed CHECK ((state = 'failed') = (reason IS NOT NULL))
);
CREATE INDEX refund_to_try ON payments.refund (next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX refund_of_payment ON payments.refund (shop_id, payment_id);
CREATE INDEX refund_failed ON payments.refund (shop_id, id) WHERE state = 'failed';

-- version 2

-- Citus wants foreign keys between distributed tables added after distribution, hence a step of their own.
ALTER TABLE payments.part
    ADD CONSTRAINT part_of_payment FOREIGN KEY (shop_id, payment_id) REFERENCES payments.payment (shop_id, id);
ALTER TABLE payments.refund
    ADD CONSTRAINT refund_within_cap FOREIGN KEY (shop_id, payment_shop_id, payment_id, order_id)
        REFERENCES payments.refund_cap (shop_id, payment_shop_id, payment_id, order_id);
