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
