-- version 1

-- An account of a shop's book. A credit raises its balance, a debit lowers it; a book always sums to zero.
-- Only the provider's account is in the red: it stands for the money that the provider holds for us.
-- distribute ledger.account by shop_id
CREATE TABLE ledger.account (
    shop_id     bigint NOT NULL,
    kind        text   NOT NULL CHECK (kind IN ('provider', 'escrow', 'buyer_refund')),
    party_id    bigint NOT NULL,
    balance_fen bigint NOT NULL,
    PRIMARY KEY (shop_id, kind, party_id),
    CONSTRAINT account_side CHECK (CASE kind WHEN 'provider' THEN balance_fen <= 0 ELSE balance_fen >= 0 END)
);

-- Transfers are only ever added. They carry no foreign key to their accounts: both are written by one function in
-- one transaction, and the audit compares them.
-- distribute ledger.transfer by shop_id
CREATE TABLE ledger.transfer (
    shop_id         bigint NOT NULL,
    id              uuid   NOT NULL,
    debit_kind      text   NOT NULL,
    debit_party_id  bigint NOT NULL,
    credit_kind     text   NOT NULL,
    credit_party_id bigint NOT NULL,
    amount_fen      bigint NOT NULL CHECK (amount_fen > 0),
    reason          text   NOT NULL CHECK (reason <> ''),
    order_id        uuid   NOT NULL,
    made_at         timestamptz NOT NULL,
    PRIMARY KEY (shop_id, id),
    CHECK ((debit_kind, debit_party_id) <> (credit_kind, credit_party_id))
);
CREATE INDEX transfer_by_order ON ledger.transfer (shop_id, order_id);
CREATE INDEX transfer_by_time ON ledger.transfer (shop_id, made_at, id);

-- version 2

-- Terms and settlement: who earned of a sale may come to owe, when goods come back after it was paid; a funder's account
-- is in the red by what it has put on top of buyers' prices, and in the black when that comes back later.
ALTER TABLE ledger.account
    DROP CONSTRAINT account_kind_check,
    DROP CONSTRAINT account_side,
    ADD CONSTRAINT account_known CHECK (kind IN
        ('provider', 'subsidy', 'escrow', 'buyer_refund', 'service_fee', 'alliance_fee', 'creator', 'agency', 'shop',
         'supplier', 'refund_clearing', 'payout', 'paid_out')),
    ADD CONSTRAINT account_side CHECK (CASE WHEN kind = 'provider' THEN balance_fen <= 0
                                            WHEN kind IN ('escrow', 'buyer_refund') THEN balance_fen >= 0
                                            WHEN kind = 'refund_clearing' THEN balance_fen = 0
                                            ELSE true END);
-- What is paid out belongs to no single order.
ALTER TABLE ledger.transfer ALTER COLUMN order_id DROP NOT NULL;

-- version 3

-- For statements: what funders put in and what was swept is found in a book without reading what its lines moved.
CREATE INDEX transfer_by_kind ON ledger.transfer (shop_id, made_at, id)
    WHERE reason IN ('subsidised', 'subsidy_returned', 'swept');
