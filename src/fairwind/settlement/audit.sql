-- check: each book's escrow is what paid orders still hold and has not settled
SELECT shop_id, coalesce(balance_fen, 0) AS balance_fen, coalesce(held_fen, 0) AS orders_fen
FROM (SELECT shop_id, balance_fen FROM ledger.account WHERE kind = 'escrow') AS escrow
FULL JOIN (
    SELECT shop_id, sum(held_fen) AS held_fen
    FROM (
        SELECT shop_id, id AS order_id, 0 AS line_no, freight_fen - refunded_freight_fen AS held_fen
        FROM orders.shop_order WHERE paid_at IS NOT NULL
        UNION ALL
        SELECT line.shop_id, order_id, line_no,
               line.goods_fen - line.subsidy_fen - line.refunded_fen
               + coalesce((SELECT sum((part ->> 'amount_fen')::bigint
                                      - div((part ->> 'amount_fen')::numeric * line.refunded_fen, (line.goods_fen - line.subsidy_fen)))
                           FROM jsonb_array_elements(subsidies) AS part), 0)
        FROM orders.line JOIN orders.shop_order ON shop_order.shop_id = line.shop_id AND shop_order.id = order_id
        WHERE paid_at IS NOT NULL
    ) AS part
    WHERE NOT EXISTS (SELECT FROM settlement.settled_line AS settled
                      WHERE settled.shop_id = part.shop_id AND settled.order_id = part.order_id
                        AND settled.line_no = part.line_no)
    GROUP BY shop_id
) AS held USING (shop_id)
WHERE coalesce(balance_fen, 0) <> coalesce(held_fen, 0);

-- check: each settled line was shared by its frozen terms, every share rounded down and the rest the seller's
SELECT shop_id, order_id, line_no, base_fen, service_fee_fen, creator_fen, alliance_fee_fen, mcn_fen, agency_fen, seller_fen
FROM settlement.settled_line
LEFT JOIN orders.line USING (shop_id, order_id, line_no)
CROSS JOIN LATERAL (SELECT div(base_fen::numeric * coalesce(creator_ppm, 0), 1000000) AS commission_fen) AS whole
CROSS JOIN LATERAL (SELECT div(commission_fen::numeric * coalesce(alliance_ppm, 0), 1000000) AS alliance_fen) AS platforms
WHERE CASE WHEN line_no = 0 THEN seller_fen <> escrow_fen
           ELSE service_fee_fen IS DISTINCT FROM div(base_fen::numeric * fee_ppm, 1000000)
             OR alliance_fee_fen <> alliance_fen
             OR mcn_fen <> div((commission_fen - alliance_fen) * coalesce(mcn_ppm, 0), 1000000)
             OR creator_fen <> commission_fen - alliance_fen - mcn_fen
             OR agency_fen <> div(base_fen::numeric * coalesce(agency_ppm, 0), 1000000)
             OR (settled_line.creator_id, settled_line.mcn_id, settled_line.agency_id, settled_line.seller)
                IS DISTINCT FROM (line.earner_id, line.mcn_id, line.agency_id, line.seller) END;

-- check: each settled line held what had been paid and not given back when it settled, and counts what went back since
SELECT shop_id, order_id, line_no, settled_line.paid_fen, escrow_fen, base_fen, returned_fen
FROM settlement.settled_line
LEFT JOIN (
    SELECT shop_id, order_id, line_no, goods_fen - subsidy_fen AS paid_fen, refunded_fen, subsidies FROM orders.line
    UNION ALL
    SELECT shop_id, id, 0, freight_fen, refunded_freight_fen, NULL FROM orders.shop_order
) AS sold USING (shop_id, order_id, line_no)
CROSS JOIN LATERAL (SELECT sold.paid_fen - settled_line.paid_fen AS back_fen) AS before
CROSS JOIN LATERAL (
    SELECT coalesce(sum(left_fen), 0) AS left_fen, coalesce(sum(left_fen) FILTER (WHERE in_base), 0) AS in_base_fen
    FROM (SELECT (part ->> 'amount_fen')::bigint
                 - div((part ->> 'amount_fen')::numeric * back_fen, sold.paid_fen) AS left_fen,
                 (part ->> 'in_base')::boolean AS in_base
          FROM jsonb_array_elements(subsidies) AS part) AS grants
) AS funded
WHERE sold.paid_fen IS NULL OR back_fen < 0
   OR sold.refunded_fen <> back_fen + returned_fen
   OR escrow_fen <> settled_line.paid_fen + funded.left_fen
   OR base_fen <> CASE WHEN line_no = 0 THEN escrow_fen ELSE settled_line.paid_fen + in_base_fen END;

-- check: whoever earned of a settled line has given back its part of what went back, rounded down, and the seller the rest
SELECT shop_id, order_id, line_no, settled_line.returned_fen, clawed.returned_fen AS clawed_fen
FROM settlement.settled_line
FULL JOIN (
    SELECT shop_id, order_id, line_no, sum(returned_fen)::bigint AS returned_fen, sum(service_fee_fen) AS service_fee_fen,
           sum(creator_fen) AS creator_fen, sum(alliance_fee_fen) AS alliance_fee_fen, sum(mcn_fen) AS mcn_fen,
           sum(agency_fen) AS agency_fen, sum(seller_fen) AS seller_fen, sum(subsidy_fen) AS subsidy_fen
    FROM settlement.clawback GROUP BY shop_id, order_id, line_no
) AS clawed USING (shop_id, order_id, line_no)
WHERE settled_line.returned_fen IS DISTINCT FROM coalesce(clawed.returned_fen, 0)
   OR clawed.service_fee_fen <> div(settled_line.service_fee_fen::numeric * clawed.returned_fen, paid_fen)
   OR clawed.creator_fen <> div(settled_line.creator_fen::numeric * clawed.returned_fen, paid_fen)
   OR clawed.alliance_fee_fen <> div(settled_line.alliance_fee_fen::numeric * clawed.returned_fen, paid_fen)
   OR clawed.mcn_fen <> div(settled_line.mcn_fen::numeric * clawed.returned_fen, paid_fen)
   OR clawed.agency_fen <> div(settled_line.agency_fen::numeric * clawed.returned_fen, paid_fen)
   OR (clawed.returned_fen = paid_fen AND clawed.seller_fen <> settled_line.seller_fen);

-- check: each earner's account has moved by what lines settled to it and took back again
SELECT shop_id, kind, party_id, moved_fen, earned_fen
FROM (
    SELECT shop_id, kind, party_id, sum(amount_fen) AS moved_fen
    FROM (
        SELECT shop_id, credit_kind AS kind, credit_party_id AS party_id, amount_fen FROM ledger.transfer
        WHERE reason IN ('settled', 'alliance_fee', 'mcn_share', 'clawed_back')
        UNION ALL
        SELECT shop_id, debit_kind, debit_party_id, -amount_fen FROM ledger.transfer
        WHERE reason IN ('settled', 'alliance_fee', 'mcn_share', 'clawed_back')
    ) AS leg
    WHERE kind IN ('service_fee', 'alliance_fee', 'creator', 'agency', 'shop', 'supplier')
    GROUP BY shop_id, kind, party_id
) AS moved
FULL JOIN (
    SELECT shop_id, kind, party_id, sum(amount_fen) AS earned_fen
    FROM (
        SELECT shop_id, service_fee_fen, creator_fen, alliance_fee_fen, mcn_fen, agency_fen, seller_fen, seller,
               creator_id, mcn_id, agency_id FROM settlement.settled_line
        UNION ALL
        SELECT shop_id, -service_fee_fen, -creator_fen, -alliance_fee_fen, -mcn_fen, -agency_fen, -seller_fen, seller,
               creator_id, mcn_id, agency_id FROM settlement.clawback
    ) AS line
    CROSS JOIN LATERAL (VALUES ('service_fee', 0, service_fee_fen), ('alliance_fee', 0, alliance_fee_fen),
                               ('creator', creator_id, creator_fen), ('agency', mcn_id, mcn_fen),
                               ('agency', agency_id, agency_fen), (seller, 0, seller_fen))
        AS share (kind, party_id, amount_fen)
    WHERE amount_fen <> 0 GROUP BY shop_id, kind, party_id
) AS earned USING (shop_id, kind, party_id)
WHERE coalesce(moved_fen, 0) <> coalesce(earned_fen, 0);

-- check: every line of a received order is due, settled, or has nothing left to settle; and is not due once settled
SELECT sold.shop_id, sold.order_id, sold.line_no, left_fen, due.due_at, settled.settled_at
FROM (
    SELECT line.shop_id, order_id, line_no, line.goods_fen - line.subsidy_fen - line.refunded_fen AS left_fen
    FROM orders.line JOIN orders.shop_order ON shop_order.shop_id = line.shop_id AND shop_order.id = order_id
    WHERE received_at IS NOT NULL
    UNION ALL
    SELECT shop_id, id, 0, freight_fen - refunded_freight_fen
    FROM orders.shop_order WHERE received_at IS NOT NULL AND freight_fen > 0
) AS sold
LEFT JOIN settlement.due
    ON due.shop_id = sold.shop_id AND due.order_id = sold.order_id AND due.line_no = sold.line_no
LEFT JOIN settlement.settled_line AS settled
    ON settled.shop_id = sold.shop_id AND settled.order_id = sold.order_id AND settled.line_no = sold.line_no
LEFT JOIN (
    SELECT shop_id, payload ->> 'order_id' AS order_id FROM kernel.outbox WHERE topic = 'orders.received'
) AS told ON told.shop_id = sold.shop_id AND told.order_id = sold.order_id::text
WHERE (due.due_at IS NOT NULL AND settled.settled_at IS NOT NULL)
   OR (due.due_at IS NULL AND settled.settled_at IS NULL AND left_fen > 0 AND told.order_id IS NULL);

-- check: nothing settled before its after-sales window was over
SELECT line.shop_id, line.order_id, line.line_no, received_at, window_s, settled_at
FROM settlement.settled_line AS settled
JOIN orders.line
    ON line.shop_id = settled.shop_id AND line.order_id = settled.order_id AND line.line_no = settled.line_no
JOIN orders.shop_order ON shop_order.shop_id = settled.shop_id AND shop_order.id = settled.order_id
WHERE received_at IS NULL OR settled_at < received_at + make_interval(secs => window_s)
UNION ALL
SELECT settled.shop_id, settled.order_id, 0, received_at, longest.window_s, settled_at
FROM settlement.settled_line AS settled
JOIN orders.shop_order ON shop_order.shop_id = settled.shop_id AND shop_order.id = settled.order_id
CROSS JOIN LATERAL (
    SELECT max(line.window_s) AS window_s FROM orders.line
    WHERE line.shop_id = settled.shop_id AND line.order_id = settled.order_id
) AS longest
WHERE settled.line_no = 0
  AND (received_at IS NULL OR settled_at < received_at + make_interval(secs => longest.window_s));

-- check: what is on its way out of each book is what was swept of it and not yet paid out
SELECT shop_id, account.balance_fen, coalesce(swept.sum_fen, 0) AS swept_fen
FROM (SELECT shop_id, balance_fen FROM ledger.account WHERE kind = 'payout') AS account
FULL JOIN (
    SELECT shop_id, sum(amount_fen) AS sum_fen FROM settlement.swept WHERE paid_out_at IS NULL GROUP BY shop_id
) AS swept USING (shop_id)
WHERE coalesce(account.balance_fen, 0) <> coalesce(swept.sum_fen, 0);

-- check: what each book has paid out is what was swept of it and is noted as paid out
SELECT shop_id, account.balance_fen, coalesce(swept.sum_fen, 0) AS swept_fen
FROM (SELECT shop_id, balance_fen FROM ledger.account WHERE kind = 'paid_out') AS account
FULL JOIN (
    SELECT shop_id, sum(amount_fen) AS sum_fen FROM settlement.swept WHERE paid_out_at IS NOT NULL GROUP BY shop_id
) AS swept USING (shop_id)
WHERE coalesce(account.balance_fen, 0) <> coalesce(swept.sum_fen, 0);

-- check: what was swept for each payee is what left its accounts in the book
SELECT shop_id, payee_kind, payee_id, moved.sum_fen AS moved_fen, swept.sum_fen AS swept_fen
FROM (
    SELECT shop_id,
           CASE WHEN kind IN ('service_fee', 'alliance_fee') OR kind = 'subsidy' AND party_id = 0 THEN 'platform'
                WHEN kind IN ('shop', 'supplier', 'subsidy') THEN 'shop'
                ELSE kind END AS payee_kind,
           CASE WHEN kind IN ('shop', 'supplier') THEN shop_id ELSE party_id END AS payee_id,
           sum(amount_fen) AS sum_fen
    FROM (
        SELECT shop_id, debit_kind AS kind, debit_party_id AS party_id, amount_fen
        FROM ledger.transfer WHERE reason = 'swept' AND credit_kind = 'payout'
        UNION ALL
        SELECT shop_id, credit_kind, credit_party_id, -amount_fen
        FROM ledger.transfer WHERE reason = 'swept' AND debit_kind = 'payout'
    ) AS leg
    GROUP BY 1, 2, 3
) AS moved
FULL JOIN (
    SELECT shop_id, payee_kind, payee_id, sum(amount_fen) AS sum_fen
    FROM settlement.swept GROUP BY shop_id, payee_kind, payee_id
) AS swept USING (shop_id, payee_kind, payee_id)
WHERE coalesce(moved.sum_fen, 0) <> coalesce(swept.sum_fen, 0);

-- check: each payout is the sum of what it is made of, above zero, and what was released is made of nothing
SELECT payout_id, payout.state, payout.amount_fen, coalesce(items.sum_fen, 0) AS items_fen
FROM (SELECT id AS payout_id, state, amount_fen FROM settlement.payout) AS payout
FULL JOIN (
    SELECT payout_id, sum(amount_fen) AS sum_fen FROM settlement.swept WHERE payout_id IS NOT NULL GROUP BY payout_id
) AS items USING (payout_id)
WHERE payout.amount_fen IS NULL
   OR payout.amount_fen <= 0
   OR CASE payout.state WHEN 'released' THEN items.sum_fen IS NOT NULL
                        ELSE payout.amount_fen IS DISTINCT FROM items.sum_fen END;

-- check: each payout is made of what was swept for its payee
SELECT swept.shop_id, swept.id AS swept_id, swept.payee_kind, swept.payee_id, payout.payee_kind AS paid_kind,
       payout.payee_id AS paid_id
FROM settlement.swept JOIN settlement.payout ON payout.id = swept.payout_id
WHERE (swept.payee_kind, swept.payee_id) <> (payout.payee_kind, payout.payee_id);

-- check: what succeeded is noted as paid out in each book, or about to be, and nothing else is
SELECT swept.shop_id, swept.id AS swept_id, swept.payout_id, payout.state, swept.paid_out_at
FROM settlement.swept JOIN settlement.payout ON payout.id = swept.payout_id
LEFT JOIN kernel.outbox
    ON outbox.shop_id = swept.shop_id AND outbox.topic = 'settlement.paid_out'
    AND outbox.payload ->> 'payout_id' = swept.payout_id::text
WHERE (payout.state = 'succeeded') <> (swept.paid_out_at IS NOT NULL OR outbox.id IS NOT NULL);

-- check: what statements list of each account is what the ledger moved it by, day by day and kind by kind
SELECT shop_id, account, party_id, kind, day, listed_fen, moved_fen
FROM (
    SELECT shop_id, account, party_id, kind, (at AT TIME ZONE 'Asia/Shanghai')::date AS day,
           sum(amount_fen) AS listed_fen
    FROM settlement.entry GROUP BY 1, 2, 3, 4, 5
) AS listed
FULL JOIN (
    SELECT shop_id, account, party_id,
           CASE WHEN reason IN ('alliance_fee', 'mcn_share') THEN 'settled' ELSE reason END AS kind,
           (made_at AT TIME ZONE 'Asia/Shanghai')::date AS day, sum(amount_fen) AS moved_fen
    FROM (
        SELECT shop_id, debit_kind AS account, debit_party_id AS party_id, reason, made_at, -amount_fen AS amount_fen
        FROM ledger.transfer
        UNION ALL
        SELECT shop_id, credit_kind, credit_party_id, reason, made_at, amount_fen FROM ledger.transfer
    ) AS leg
    WHERE account IN ('service_fee', 'alliance_fee', 'subsidy', 'shop', 'supplier', 'creator', 'agency')
    GROUP BY 1, 2, 3, 4, 5
) AS moved USING (shop_id, account, party_id, kind, day)
WHERE coalesce(listed_fen, 0) <> coalesce(moved_fen, 0);

-- check: what each funder put into an order is what its lines say
SELECT shop_id, order_id, funder_id, moved_fen, lines_fen
FROM (
    SELECT shop_id, order_id, debit_party_id AS funder_id, sum(amount_fen) AS moved_fen
    FROM ledger.transfer WHERE reason = 'subsidised' GROUP BY shop_id, order_id, debit_party_id
) AS moved
FULL JOIN (
    SELECT line.shop_id, order_id, (part ->> 'funder_id')::bigint AS funder_id,
           sum((part ->> 'amount_fen')::bigint) AS lines_fen
    FROM orders.line
    JOIN orders.shop_order ON shop_order.shop_id = line.shop_id AND shop_order.id = order_id
    CROSS JOIN jsonb_array_elements(subsidies) AS part
    WHERE paid_at IS NOT NULL GROUP BY line.shop_id, order_id, part ->> 'funder_id'
) AS funded USING (shop_id, order_id, funder_id)
WHERE coalesce(moved_fen, 0) <> coalesce(lines_fen, 0);

-- check: what was closed is what its entries come to, opened with what the account closed with before
SELECT shop_id, period, account, party_id, closed.opening_fen, before.closing_fen AS closed_before_fen,
       closed.entries, again.entries AS entries_again, closed.closing_fen,
       closed.opening_fen + again.sum_fen AS closing_again_fen
FROM (
    SELECT * FROM settlement.closed_statement WHERE period IN (SELECT period FROM settlement.closed_period)
) AS closed
FULL JOIN (
    SELECT shop_id, period, account, party_id, count(*) AS entries, sum(amount_fen) AS sum_fen,
           coalesce(sum(amount_fen) FILTER (WHERE kind = 'settled'), 0) AS settled_fen,
           coalesce(sum(amount_fen) FILTER (WHERE kind = 'clawed_back'), 0) AS clawed_back_fen,
           coalesce(sum(amount_fen) FILTER (WHERE kind = 'subsidised'), 0) AS subsidised_fen,
           coalesce(sum(amount_fen) FILTER (WHERE kind = 'subsidy_returned'), 0) AS subsidy_returned_fen,
           coalesce(sum(amount_fen) FILTER (WHERE kind = 'swept'), 0) AS swept_fen
    FROM settlement.entry JOIN settlement.closed_period ON at >= since AND at < until
    GROUP BY shop_id, period, account, party_id
) AS again USING (shop_id, period, account, party_id)
LEFT JOIN LATERAL (
    SELECT closing_fen FROM settlement.closed_statement AS earlier
    WHERE earlier.shop_id = closed.shop_id AND earlier.account = closed.account
      AND earlier.party_id = closed.party_id AND earlier.period < closed.period
    ORDER BY earlier.period DESC LIMIT 1
) AS before ON true
WHERE (closed.entries, closed.settled_fen, closed.clawed_back_fen, closed.subsidised_fen, closed.subsidy_returned_fen,
       closed.swept_fen, closed.opening_fen, closed.closing_fen)
    IS DISTINCT FROM
      (again.entries, again.settled_fen, again.clawed_back_fen, again.subsidised_fen, again.subsidy_returned_fen,
       again.swept_fen, coalesce(before.closing_fen, 0), coalesce(before.closing_fen, 0) + again.sum_fen);

-- check: closed months follow each other
SELECT period, since, closed_before
FROM (SELECT period, since, lag(until) OVER (ORDER BY since) AS closed_before FROM settlement.closed_period) AS closed
WHERE closed_before <> since;

-- check: whoever earns of a paid line is noted with the reason that the line froze, or about to be
SELECT shop_id, order_id, line_no, creator_id, noted.reason, sold.attribution
FROM (
    SELECT line.shop_id, order_id, line_no, earner_id AS creator_id, attribution
    FROM orders.line JOIN orders.shop_order ON shop_order.shop_id = line.shop_id AND shop_order.id = order_id
    WHERE paid_at IS NOT NULL AND earner_id IS NOT NULL
) AS sold
FULL JOIN (
    SELECT shop_id, order_id, line_no, creator_id, reason FROM settlement.earning WHERE earns
) AS noted USING (shop_id, order_id, line_no, creator_id)
LEFT JOIN (
    SELECT shop_id AS told_shop_id, payload ->> 'order_id' AS told_order_id FROM kernel.outbox WHERE topic = 'orders.paid'
) AS told ON told_shop_id = shop_id AND told_order_id = order_id::text
WHERE noted.reason IS DISTINCT FROM sold.attribution AND (noted.reason IS NOT NULL OR told_order_id IS NULL);

-- check: whoever is noted as having had a part in a line is named in its evidence
SELECT noted.shop_id, noted.order_id, noted.line_no, noted.creator_id, evidence
FROM settlement.earning AS noted
LEFT JOIN orders.line
    ON line.shop_id = noted.shop_id AND line.order_id = noted.order_id AND line.line_no = noted.line_no
WHERE NOT coalesce(jsonb_path_exists(evidence, '$.** ? (@.creator_id == $id)', jsonb_build_object('id', noted.creator_id)),
                   false);

-- check: every agency that earns of a paid line is noted, or about to be, and no other
SELECT shop_id, order_id, line_no, part, sold.agency_id, noted.agency_id AS noted_id
FROM (
    SELECT line.shop_id, order_id, line_no, part, share.agency_id
    FROM orders.line
    JOIN orders.shop_order ON shop_order.shop_id = line.shop_id AND shop_order.id = order_id
    CROSS JOIN LATERAL (VALUES ('agency', line.agency_id), ('mcn', line.mcn_id)) AS share (part, agency_id)
    WHERE paid_at IS NOT NULL AND share.agency_id IS NOT NULL
) AS sold
FULL JOIN settlement.agency_earning AS noted USING (shop_id, order_id, line_no, part)
LEFT JOIN (
    SELECT shop_id AS told_shop_id, payload ->> 'order_id' AS told_order_id FROM kernel.outbox WHERE topic = 'orders.paid'
) AS told ON told_shop_id = shop_id AND told_order_id = order_id::text
WHERE noted.agency_id IS DISTINCT FROM sold.agency_id AND (noted.agency_id IS NOT NULL OR told_order_id IS NULL);

-- check: no line settled while it was withheld
SELECT withholding.shop_id, withholding.order_id, withholding.line_no, id AS withholding_id, opened_at, released_at,
       settled_at
FROM settlement.withholding
JOIN settlement.settled_line AS settled
    ON settled.shop_id = withholding.shop_id AND settled.order_id = withholding.order_id
    AND settled.line_no = withholding.line_no
WHERE settled_at >= opened_at AND (released_at IS NULL OR settled_at < released_at);

-- check: every withholding is of a line that its order has, or of its freight
SELECT withholding.shop_id, withholding.order_id, withholding.line_no, withholding.id AS withholding_id
FROM settlement.withholding
LEFT JOIN orders.shop_order ON shop_order.shop_id = withholding.shop_id AND shop_order.id = withholding.order_id
LEFT JOIN orders.line
    ON line.shop_id = withholding.shop_id AND line.order_id = withholding.order_id AND line.line_no = withholding.line_no
WHERE CASE withholding.line_no WHEN 0 THEN coalesce(freight_fen, 0) = 0 ELSE line.line_no IS NULL END;
