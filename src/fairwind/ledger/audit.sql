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
WHERE (reason, debit_kind, credit_kind) NOT IN (('paid', 'provider', 'escrow'),
                                                ('refund_agreed', 'escrow', 'buyer_refund'),
                                                ('refund_paid', 'buyer_refund', 'provider'));
