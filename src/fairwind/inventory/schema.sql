-- version 1

-- What a shop has of a SKU. Available is adjusted − sold − held, and the CHECK is what makes overselling impossible.
-- distribute inventory.stock by shop_id
CREATE TABLE inventory.stock (
    shop_id           bigint NOT NULL,
    sku_id            bigint NOT NULL,
    adjusted_quantity bigint NOT NULL CHECK (adjusted_quantity >= 0),
    sold_quantity     bigint NOT NULL DEFAULT 0 CHECK (sold_quantity >= 0),
    held_quantity     bigint NOT NULL DEFAULT 0 CHECK (held_quantity >= 0),
    buyer_limit       integer CHECK (buyer_limit > 0),
    PRIMARY KEY (shop_id, sku_id),
    CONSTRAINT stock_not_oversold CHECK (adjusted_quantity - sold_quantity - held_quantity >= 0)
) WITH (fillfactor = 50);

-- Why adjusted_quantity is what it is: the first stock and every change since.
-- distribute inventory.adjustment by shop_id
CREATE TABLE inventory.adjustment (
    shop_id   bigint NOT NULL,
    id        uuid   NOT NULL,
    sku_id    bigint NOT NULL,
    quantity  bigint NOT NULL CHECK (quantity <> 0),
    reason    text   NOT NULL CHECK (reason <> ''),
    person_id bigint,
    made_at   timestamptz NOT NULL,
    PRIMARY KEY (shop_id, id)
);
CREATE INDEX adjustment_by_sku ON inventory.adjustment (shop_id, sku_id, made_at, id);

-- Stock kept for an unpaid order.
-- distribute inventory.hold by shop_id
CREATE TABLE inventory.hold (
    shop_id    bigint NOT NULL,
    order_id   uuid   NOT NULL,
    sku_id     bigint NOT NULL,
    quantity   bigint NOT NULL CHECK (quantity > 0),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (shop_id, order_id, sku_id)
);
CREATE INDEX hold_by_expiry ON inventory.hold (expires_at, shop_id);

-- How much of a SKU with a buyer limit each buyer holds or has bought.
-- distribute inventory.bought by shop_id
CREATE TABLE inventory.bought (
    shop_id  bigint NOT NULL,
    sku_id   bigint NOT NULL,
    buyer_id bigint NOT NULL,
    quantity bigint NOT NULL CHECK (quantity >= 0),
    PRIMARY KEY (shop_id, sku_id, buyer_id)
);

-- version 2

-- Citus wants foreign keys between distributed tables added after distribution, hence a step of their own.
ALTER TABLE inventory.adjustment
    ADD CONSTRAINT adjustment_stock FOREIGN KEY (shop_id, sku_id) REFERENCES inventory.stock (shop_id, sku_id);
