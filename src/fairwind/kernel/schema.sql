-- version 1

CREATE SEQUENCE kernel.id AS bigint START 1001;

CREATE TABLE kernel.secret (
    name  text PRIMARY KEY CHECK (name <> ''),
    value bytea NOT NULL CHECK (length(value) >= 32)
);

-- distribute kernel.outbox by shop_id
CREATE TABLE kernel.outbox (
    shop_id    bigint NOT NULL,
    id         uuid NOT NULL,
    topic      text NOT NULL CHECK (topic <> ''),
    payload    jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    attempts   integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    parked     boolean NOT NULL DEFAULT false,
    PRIMARY KEY (shop_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
-- The relay takes the oldest first, and must not search among what it took before.
CREATE INDEX outbox_by_age ON kernel.outbox (id) WHERE NOT parked;
