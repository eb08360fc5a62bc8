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

-- When a shop's book was last swept; NULL until its first sweep is over.
-- distribute settlement.sweep by shop_id
CREATE TABLE settlement.sweep (
    shop_id  bigint NOT NULL,
    swept_at timestamptz,
    PRIMARY KEY (shop_id)
);

-- What one sweep of a book found for one payee: all of its accounts netted, below zero what it owes. It waits for a
-- payout (payout_id NULL), belongs to one, and is paid out in its book once that one has succeeded.
-- distribute settlement.swept by shop_id
CREATE TABLE settlement.swept (
    shop_id     bigint NOT NULL,
    id          uuid   NOT NULL,
    payee_kind  text   NOT NULL CHECK (payee_kind IN ('platform', 'shop', 'creator', 'agency')),
    payee_id    bigint NOT NULL CHECK (payee_id >= 0),
    amount_fen  bigint NOT NULL CHECK (amount_fen <> 0),
    swept_at    timestamptz NOT NULL,
    payout_id   uuid,
    paid_out_at timestamptz,
    PRIMARY KEY (shop_id, id),
    CONSTRAINT swept_paid_out CHECK (paid_out_at IS NULL OR payout_id IS NOT NULL)
);
CREATE INDEX swept_waiting ON settlement.swept (payee_kind, payee_id) INCLUDE (amount_fen) WHERE payout_id IS NULL;
CREATE INDEX swept_of_payout ON settlement.swept (payout_id, shop_id, id) WHERE payout_id IS NOT NULL;
CREATE INDEX swept_by_time ON settlement.swept (shop_id, swept_at, id);

-- Whoever was ever netted. Its row is the lock under which amounts are put into payouts and taken out again. A payee
-- earns in many books, so payees and payouts live on the coordinator.
CREATE TABLE settlement.payee (
    kind text   NOT NULL CHECK (kind IN ('platform', 'shop', 'creator', 'agency')),
    id   bigint NOT NULL CHECK (id >= 0),
    PRIMARY KEY (kind, id)
);

-- Money on its way to a payee. next_try_at: when to send it or to ask for it, NULL when the provider is not to be
-- spoken to; attempts: how often it was.
CREATE TABLE settlement.payout (
    id           uuid   NOT NULL PRIMARY KEY,
    payee_kind   text   NOT NULL,
    payee_id     bigint NOT NULL,
    amount_fen   bigint NOT NULL CHECK (amount_fen > 0),
    provider     text   NOT NULL CHECK (provider <> ''),
    state        text   NOT NULL CHECK (state IN ('pending', 'sent', 'succeeded', 'failed', 'released')),
    reason       text   CHECK (reason <> ''),
    attempts     integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_try_at  timestamptz,
    requested_at timestamptz NOT NULL,
    finished_at  timestamptz,
    CONSTRAINT payout_of_payee FOREIGN KEY (payee_kind, payee_id) REFERENCES settlement.payee (kind, id),
    CONSTRAINT payout_tried CHECK ((state IN ('pending', 'sent')) = (next_try_at IS NOT NULL)),
    CONSTRAINT payout_finished CHECK ((state IN ('succeeded', 'released')) = (finished_at IS NOT NULL)),
    CONSTRAINT payout_failed CHECK ((state IN ('failed', 'released')) = (reason IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX payout_to_try ON settlement.payout (next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX payout_of_payee_by_time ON settlement.payout (payee_kind, payee_id, requested_at, id);
CREATE INDEX payout_by_state ON settlement.payout (state, requested_at, id);

-- version 3

-- What keeps a line from settling. One that ended by itself was released by nobody.
-- distribute settlement.withholding by shop_id
CREATE TABLE settlement.withholding (
    shop_id     bigint   NOT NULL,
    id          uuid     NOT NULL,
    order_id    uuid     NOT NULL,
    line_no     smallint NOT NULL CHECK (line_no >= 0),
    reason      text     NOT NULL CHECK (reason IN ('dispute', 'price_protection')),
    note        text     NOT NULL,
    until       timestamptz,
    opened_by   bigint   NOT NULL,
    opened_at   timestamptz NOT NULL,
    released_by bigint,
    released_at timestamptz,
    PRIMARY KEY (shop_id, id),
    CONSTRAINT withholding_released CHECK (released_at >= opened_at AND (released_by IS NULL OR released_at IS NOT NULL))
);
CREATE UNIQUE INDEX withholding_open ON settlement.withholding (shop_id, order_id, line_no, reason, opened_by)
    WHERE released_at IS NULL;
CREATE INDEX withholding_by_time ON settlement.withholding (shop_id, opened_at, id);
CREATE INDEX withholding_ending ON settlement.withholding (until, shop_id, id) WHERE released_at IS NULL;

-- Which creators had a part in a line that was paid, whether each earns of it and why or why not, in the alliance's words.
-- distribute settlement.earning by shop_id
CREATE TABLE settlement.earning (
    shop_id    bigint   NOT NULL,
    order_id   uuid     NOT NULL,
    line_no    smallint NOT NULL CHECK (line_no > 0),
    creator_id bigint   NOT NULL,
    earns      boolean  NOT NULL,
    reason     text     NOT NULL CHECK (reason <> ''),
    paid_at    timestamptz NOT NULL,
    PRIMARY KEY (shop_id, order_id, line_no, creator_id)
);
CREATE INDEX earning_of_creator ON settlement.earning (creator_id, paid_at, order_id, line_no);

-- The same for agencies, which earn by recruiting goods (agency) or as the MCN of a creator (mcn).
-- distribute settlement.agency_earning by shop_id
CREATE TABLE settlement.agency_earning (
    shop_id   bigint   NOT NULL,
    order_id  uuid     NOT NULL,
    line_no   smallint NOT NULL CHECK (line_no > 0),
    agency_id bigint   NOT NULL,
    part      text     NOT NULL CHECK (part IN ('agency', 'mcn')),
    paid_at   timestamptz NOT NULL,
    PRIMARY KEY (shop_id, order_id, line_no, part)
);
CREATE INDEX earning_of_agency ON settlement.agency_earning (agency_id, paid_at, order_id, line_no);

-- Months in China that are closed: what settles, is swept or is clawed back adds no entry to them any more.
-- reference settlement.closed_period
CREATE TABLE settlement.closed_period (
    period     text        PRIMARY KEY CHECK (period ~ '^[0-9]{4}-[0-9]{2}$'),
    since      timestamptz NOT NULL,
    until      timestamptz NOT NULL,
    closed_at  timestamptz NOT NULL,
    statements bigint      NOT NULL CHECK (statements >= 0),
    CONSTRAINT period_over CHECK (since < until AND until <= closed_at)
);

-- What a payee's account of a book came to in a closed period. An account that nothing moved has no row: it stands where
-- its last one left it.
-- distribute settlement.closed_statement by shop_id
CREATE TABLE settlement.closed_statement (
    shop_id              bigint NOT NULL,
    period               text   NOT NULL,
    account              text   NOT NULL,
    party_id             bigint NOT NULL,
    payee_kind           text   NOT NULL CHECK (payee_kind IN ('platform', 'shop', 'creator', 'agency')),
    payee_id             bigint NOT NULL,
    opening_fen          bigint NOT NULL,
    settled_fen          bigint NOT NULL,
    clawed_back_fen      bigint NOT NULL,
    subsidised_fen       bigint NOT NULL,
    subsidy_returned_fen bigint NOT NULL,
    swept_fen            bigint NOT NULL,
    closing_fen          bigint NOT NULL,
    entries              bigint NOT NULL CHECK (entries > 0),
    PRIMARY KEY (shop_id, account, party_id, period),
    CONSTRAINT closed_statement_sum CHECK (closing_fen = opening_fen + settled_fen + clawed_back_fen + subsidised_fen
                                                       + subsidy_returned_fen + swept_fen)
);
CREATE INDEX closed_statement_of_payee ON settlement.closed_statement (payee_kind, payee_id, period);

-- Each party's part of what was settled and clawed back, as the lines tell it, and what funders put in and what was swept,
-- as the book tells it; what a party gives is negative. Where a line has no such party, party_id is NULL. Every column has
-- its type spelled out, and the lines come without conditions: only then does the planner see through to their indexes.
CREATE VIEW settlement.part (shop_id, account, party_id, at, kind, item, order_id, line_no, reference, amount_fen) AS
SELECT shop_id, 'service_fee'::text, 0::bigint, settled_at, 'settled'::text,
       'service_fee'::text, order_id, line_no, '00000000-0000-0000-0000-000000000000'::uuid, service_fee_fen
FROM settlement.settled_line
UNION ALL
SELECT shop_id, 'alliance_fee'::text, 0::bigint, settled_at, 'settled'::text,
       'alliance_fee'::text, order_id, line_no, '00000000-0000-0000-0000-000000000000'::uuid, alliance_fee_fen
FROM settlement.settled_line
UNION ALL
SELECT shop_id, 'creator'::text, creator_id, settled_at, 'settled'::text,
       'commission'::text, order_id, line_no, '00000000-0000-0000-0000-000000000000'::uuid, creator_fen
FROM settlement.settled_line
UNION ALL
SELECT shop_id, 'agency'::text, mcn_id, settled_at, 'settled'::text,
       'mcn_share'::text, order_id, line_no, '00000000-0000-0000-0000-000000000000'::uuid, mcn_fen
FROM settlement.settled_line
UNION ALL
SELECT shop_id, 'agency'::text, agency_id, settled_at, 'settled'::text,
       'agency_fee'::text, order_id, line_no, '00000000-0000-0000-0000-000000000000'::uuid, agency_fen
FROM settlement.settled_line
UNION ALL
SELECT shop_id, seller, 0::bigint, settled_at, 'settled'::text,
       'proceeds'::text, order_id, line_no, '00000000-0000-0000-0000-000000000000'::uuid, seller_fen
FROM settlement.settled_line
UNION ALL
SELECT shop_id, 'service_fee'::text, 0::bigint, clawed_at, 'clawed_back'::text,
       'service_fee'::text, order_id, line_no, refund_id, -service_fee_fen
FROM settlement.clawback
UNION ALL
SELECT shop_id, 'alliance_fee'::text, 0::bigint, clawed_at, 'clawed_back'::text,
       'alliance_fee'::text, order_id, line_no, refund_id, -alliance_fee_fen
FROM settlement.clawback
UNION ALL
SELECT shop_id, 'creator'::text, creator_id, clawed_at, 'clawed_back'::text,
       'commission'::text, order_id, line_no, refund_id, -creator_fen
FROM settlement.clawback
UNION ALL
SELECT shop_id, 'agency'::text, mcn_id, clawed_at, 'clawed_back'::text,
       'mcn_share'::text, order_id, line_no, refund_id, -mcn_fen
FROM settlement.clawback
UNION ALL
SELECT shop_id, 'agency'::text, agency_id, clawed_at, 'clawed_back'::text,
       'agency_fee'::text, order_id, line_no, refund_id, -agency_fen
FROM settlement.clawback
UNION ALL
SELECT shop_id, seller, 0::bigint, clawed_at, 'clawed_back'::text,
       'proceeds'::text, order_id, line_no, refund_id, -seller_fen
FROM settlement.clawback
UNION ALL
SELECT shop_id, 'subsidy'::text, debit_party_id, made_at, 'subsidised'::text,
       'subsidy'::text, order_id, 0::smallint, id, -amount_fen
FROM ledger.transfer WHERE reason = 'subsidised' AND debit_kind = 'subsidy'
UNION ALL
SELECT shop_id, 'subsidy'::text, credit_party_id, made_at, 'subsidy_returned'::text,
       'subsidy'::text, order_id, 0::smallint, id, amount_fen
FROM ledger.transfer WHERE reason = 'subsidy_returned' AND credit_kind = 'subsidy'
UNION ALL
SELECT shop_id, debit_kind, debit_party_id, made_at, 'swept'::text,
       'sweep'::text, '00000000-0000-0000-0000-000000000000'::uuid, 0::smallint, id, -amount_fen
FROM ledger.transfer WHERE reason = 'swept' AND credit_kind = 'payout'
UNION ALL
SELECT shop_id, credit_kind, credit_party_id, made_at, 'swept'::text,
       'sweep'::text, '00000000-0000-0000-0000-000000000000'::uuid, 0::smallint, id, amount_fen
FROM ledger.transfer WHERE reason = 'swept' AND debit_kind = 'payout';

-- Whatever moves a payee's account, one row for each line of a statement.
CREATE VIEW settlement.entry AS
SELECT * FROM settlement.part
WHERE party_id IS NOT NULL AND (amount_fen <> 0 OR item NOT IN ('service_fee', 'alliance_fee'));

