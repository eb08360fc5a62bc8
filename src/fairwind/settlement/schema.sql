-- version 1

-- When the lines of received orders can settle: receipt plus the line's after-sales window. Line 0 is the freight.
-- distribute settlement.due by shop_id
CREATE TABLE settlement.due (
    shop_id  bigint   NOT NULL,
    order_id uuid     NOT NULL,
    line_no  smallint NOT NULL CHECK (line_no >= 0),
    due_at   timestamptz NOT NULL,
    PRIMARY KEY (shop_id, order_id, line_no)
);
CREATE INDEX due_by_time ON settlement.due (due_at, shop_id, order_id, line_no);

-- What a line had in escrow when it settled, and how it was shared. Who earned is copied from the line, so that a
-- statement reads one table. paid_fen: what the buyer had paid and not got back; escrow_fen: with the subsidies that were
-- left; returned_fen: how much of paid_fen has gone back since.
-- distribute settlement.settled_line by shop_id
CREATE TABLE settlement.settled_line (
    shop_id         bigint   NOT NULL,
    order_id        uuid     NOT NULL,
    line_no         smallint NOT NULL CHECK (line_no >= 0),
    settled_at      timestamptz NOT NULL,
    paid_fen        bigint NOT NULL CHECK (paid_fen >= 0),
    escrow_fen      bigint NOT NULL CHECK (escrow_fen >= paid_fen),
    base_fen        bigint NOT NULL CHECK (base_fen BETWEEN 0 AND escrow_fen),
    service_fee_fen bigint NOT NULL CHECK (service_fee_fen >= 0),
    creator_fen     bigint NOT NULL CHECK (creator_fen >= 0),
    alliance_fee_fen bigint NOT NULL CHECK (alliance_fee_fen >= 0),
    mcn_fen         bigint NOT NULL CHECK (mcn_fen >= 0),
    agency_fen      bigint NOT NULL CHECK (agency_fen >= 0),
    seller_fen      bigint NOT NULL CHECK (seller_fen >= 0),
    seller          text   NOT NULL CHECK (seller IN ('shop', 'supplier')),
    creator_id      bigint,
    mcn_id          bigint,
    agency_id       bigint,
    returned_fen    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (shop_id, order_id, line_no),
    CONSTRAINT settled_line_shared CHECK (escrow_fen = service_fee_fen + creator_fen + alliance_fee_fen + mcn_fen
                                                     + agency_fen + seller_fen),
    CONSTRAINT settled_line_returned CHECK (returned_fen BETWEEN 0 AND paid_fen),
    CONSTRAINT settled_line_earners CHECK ((creator_id IS NOT NULL OR creator_fen + alliance_fee_fen + mcn_fen = 0)
                                           AND (mcn_id IS NOT NULL OR mcn_fen = 0)
                                           AND (agency_id IS NOT NULL OR agency_fen = 0))
) WITH (fillfactor = 90);
CREATE INDEX settled_line_by_time ON settlement.settled_line (shop_id, settled_at, order_id, line_no);
CREATE INDEX settled_line_of_creator ON settlement.settled_line (creator_id, settled_at) WHERE creator_id IS NOT NULL;
CREATE INDEX settled_line_of_mcn ON settlement.settled_line (mcn_id, settled_at) WHERE mcn_id IS NOT NULL;
CREATE INDEX settled_line_of_agency ON settlement.settled_line (agency_id, settled_at) WHERE agency_id IS NOT NULL;

-- What each party gave back of a settled line because of one refund. The seller takes the odd fen, and may get it back
-- with a later refund: its amount alone may be negative. subsidy_fen went back to the funders.
-- distribute settlement.clawback by shop_id
CREATE TABLE settlement.clawback (
    shop_id         bigint   NOT NULL,
    order_id        uuid     NOT NULL,
    line_no         smallint NOT NULL,
    refund_id       uuid     NOT NULL,
    clawed_at       timestamptz NOT NULL,
    returned_fen    bigint NOT NULL CHECK (returned_fen > 0),
    subsidy_fen     bigint NOT NULL CHECK (subsidy_fen >= 0),
    service_fee_fen bigint NOT NULL CHECK (service_fee_fen >= 0),
    creator_fen     bigint NOT NULL CHECK (creator_fen >= 0),
    alliance_fee_fen bigint NOT NULL CHECK (alliance_fee_fen >= 0),
    mcn_fen         bigint NOT NULL CHECK (mcn_fen >= 0),
    agency_fen      bigint NOT NULL CHECK (agency_fen >= 0),
    seller_fen      bigint NOT NULL,
    seller          text   NOT NULL CHECK (seller IN ('shop', 'supplier')),
    creator_id      bigint,
    mcn_id          bigint,
    agency_id       bigint,
    PRIMARY KEY (shop_id, order_id, line_no, refund_id),
    CONSTRAINT clawback_shared CHECK (returned_fen + subsidy_fen = service_fee_fen + creator_fen + alliance_fee_fen + mcn_fen
                                                                 + agency_fen + seller_fen)
);
CREATE INDEX clawback_by_time ON settlement.clawback (shop_id, clawed_at, order_id, line_no);
CREATE INDEX clawback_of_creator ON settlement.clawback (creator_id, clawed_at) WHERE creator_id IS NOT NULL;
CREATE INDEX clawback_of_mcn ON settlement.clawback (mcn_id, clawed_at) WHERE mcn_id IS NOT NULL;
CREATE INDEX clawback_of_agency ON settlement.clawback (agency_id, clawed_at) WHERE agency_id IS NOT NULL;

-- version 2

-- version 3
