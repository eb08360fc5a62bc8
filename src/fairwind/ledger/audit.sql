-- check: each book sums to zero
SELECT shop_id, sum(balance_fen) AS sum_fen
FROM ledger.account GROUP BY shop_id HAVING sum(balance_fen) <> 0;

-- check: each account's balance is the sum of its transfers
SELECT shop_id, kind, party_id, account.balance_fen, coalesce(moved.sum_fen, 0) AS transfers_fen
FROM ledger.account
FULL JOIN (
    SELECT shop_id, kind, party_id, sum(amount_fen) AS sum_fen
    FROM (
        SELECT shop_id, debit_kind AS kind, debit_party_id AS party_id, -amount_fen AS amount_fen FROM ledger.transfer
        UNION ALL
        SELECT shop_id, credit_kind, credit_party_id, amount_fen FROM ledger.transfer
    ) AS leg
    GROUP BY shop_id, kind, party_id
) AS moved USING (shop_id, kind, party_id)
WHERE account.balance_fen IS DISTINCT FROM coalesce(moved.sum_fen, 0);

-- check: each transfer moves between the accounts that its reason names
SELECT shop_id, id AS transfer_id, reason, debit_kind, credit_kind
FROM ledger.transfer
WHERE NOT CASE reason
    WHEN 'paid' THEN debit_kind = 'provider' AND credit_kind = 'escrow'
    WHEN 'subsidised' THEN debit_kind = 'subsidy' AND credit_kind = 'escrow'
    WHEN 'refund_agreed' THEN debit_kind IN ('escrow', 'refund_clearing') AND credit_kind = 'buyer_refund'
    WHEN 'refund_paid' THEN debit_kind = 'buyer_refund' AND credit_kind = 'provider'
    WHEN 'subsidy_returned' THEN debit_kind IN ('escrow', 'refund_clearing') AND credit_kind = 'subsidy'
    WHEN 'settled' THEN debit_kind = 'escrow'
                        AND credit_kind IN ('service_fee', 'creator', 'agency', 'shop', 'supplier')
    WHEN 'alliance_fee' THEN debit_kind = 'creator' AND credit_kind = 'alliance_fee'
    WHEN 'mcn_share' THEN debit_kind = 'creator' AND credit_kind = 'agency'
    -- The one who takes the odd fen may get it back with the next refund.
    WHEN 'clawed_back' THEN (debit_kind, credit_kind) IN
        (('service_fee', 'refund_clearing'), ('alliance_fee', 'refund_clearing'), ('creator', 'refund_clearing'),
         ('agency', 'refund_clearing'), ('shop', 'refund_clearing'), ('supplier', 'refund_clearing'),
         ('refund_clearing', 'shop'), ('refund_clearing', 'supplier'))
    WHEN 'swept' THEN 'payout' IN (debit_kind, credit_kind)
                      AND (debit_kind IN ('service_fee', 'alliance_fee', 'creator', 'agency', 'shop', 'supplier', 'subsidy')
                           OR credit_kind IN ('service_fee', 'alliance_fee', 'creator', 'agency', 'shop', 'supplier', 'subsidy'))
    WHEN 'paid_out' THEN (debit_kind, credit_kind) IN (('payout', 'paid_out'), ('paid_out', 'payout'))
    ELSE false END
   OR (order_id IS NULL) <> (reason IN ('swept', 'paid_out'));
