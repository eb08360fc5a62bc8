-- check: each order's goods and subsidies are the sums of its lines, and its total is goods less subsidies plus freight
SELECT shop_id, id AS order_id, shop_order.goods_fen, shop_order.subsidy_fen, freight_fen, total_fen,
       sold.goods_fen AS lines_fen, sold.subsidy_fen AS lines_subsidy_fen
FROM orders.shop_order
LEFT JOIN (SELECT shop_id, order_id AS id, sum(goods_fen) AS goods_fen, sum(subsidy_fen) AS subsidy_fen,
                  bool_and(goods_fen = price_fen * quantity) AS priced
           FROM orders.line GROUP BY shop_id, order_id) AS sold USING (shop_id, id)
WHERE shop_order.goods_fen IS DISTINCT FROM sold.goods_fen OR shop_order.subsidy_fen IS DISTINCT FROM sold.subsidy_fen
   OR total_fen <> shop_order.goods_fen - shop_order.subsidy_fen + freight_fen OR NOT priced;

-- check: each line's subsidy is the sum of its funders' parts
SELECT shop_id, order_id, line_no, subsidy_fen, subsidies
FROM orders.line
WHERE (subsidies IS NOT NULL OR subsidy_fen <> 0)
  AND subsidy_fen IS DISTINCT FROM (SELECT sum((part ->> 'amount_fen')::bigint) FROM jsonb_array_elements(subsidies) AS part);

-- check: each order's refunds are the sum of its lines' and freight, and of the refunds agreed to
SELECT shop_id, id AS order_id, refunded_fen, lines_fen, agreed_fen
FROM orders.shop_order
LEFT JOIN (SELECT shop_id, order_id AS id, sum(refunded_fen) AS lines_fen
           FROM orders.line GROUP BY shop_id, order_id) AS on_lines USING (shop_id, id)
LEFT JOIN (SELECT shop_id, order_id AS id, sum(amount_fen) AS agreed_fen
           FROM orders.refund WHERE state IN ('refunding', 'refunded') GROUP BY shop_id, order_id) AS agreed USING (shop_id, id)
WHERE refunded_fen <> coalesce(lines_fen, 0) + refunded_freight_fen
   OR refunded_fen <> coalesce(agreed_fen, 0)
   OR refunded_fen NOT BETWEEN 0 AND total_fen;

-- check: each line's refunds and returns are the sum of the refunds agreed to
SELECT shop_id, order_id, line_no, line.refunded_fen, agreed_fen, returned_quantity, agreed_quantity
FROM orders.line
FULL JOIN (
    SELECT refund.shop_id, refund.order_id, line_no,
           sum(refund_line.amount_fen) AS agreed_fen, sum(quantity) AS agreed_quantity
    FROM orders.refund
    JOIN orders.refund_line ON refund_line.shop_id = refund.shop_id AND refund_line.refund_id = refund.id
    WHERE state IN ('refunding', 'refunded') GROUP BY refund.shop_id, refund.order_id, line_no
) AS agreed USING (shop_id, order_id, line_no)
WHERE line.refunded_fen IS DISTINCT FROM coalesce(agreed_fen, 0)
   OR returned_quantity IS DISTINCT FROM coalesce(agreed_quantity, 0);

-- check: each refund's amount is the sum of its lines and freight
SELECT shop_id, id AS refund_id, amount_fen, freight_fen, lines_fen
FROM orders.refund
LEFT JOIN (SELECT shop_id, refund_id AS id, sum(amount_fen) AS lines_fen
           FROM orders.refund_line GROUP BY shop_id, refund_id) AS on_lines USING (shop_id, id)
WHERE amount_fen <> coalesce(lines_fen, 0) + freight_fen;

-- check: each order's transfers match what was paid and refunded of it
SELECT shop_id, order_id, paid_fen, transfers_in_fen, back_fen, transfers_back_fen, sent_fen, transfers_sent_fen
FROM (
    SELECT shop_id, order_id, sum(paid_fen) AS paid_fen, sum(back_fen) AS back_fen, sum(sent_fen) AS sent_fen
    FROM (
        SELECT shop_id, id AS order_id, CASE WHEN paid_at IS NOT NULL THEN total_fen ELSE 0 END AS paid_fen,
               refunded_fen AS back_fen, 0 AS sent_fen
        FROM orders.shop_order
        UNION ALL
        SELECT shop_id, order_id, amount_fen, amount_fen, CASE WHEN refunded_at IS NOT NULL THEN amount_fen ELSE 0 END
        FROM orders.stray_payment
        UNION ALL
        SELECT shop_id, order_id, 0, 0, amount_fen FROM orders.refund WHERE state = 'refunded'
    ) AS item
    GROUP BY shop_id, order_id
) AS due
FULL JOIN (
    SELECT shop_id, order_id,
           coalesce(sum(amount_fen) FILTER (WHERE reason = 'paid'), 0) AS transfers_in_fen,
           coalesce(sum(amount_fen) FILTER (WHERE reason = 'refund_agreed'), 0) AS transfers_back_fen,
           coalesce(sum(amount_fen) FILTER (WHERE reason = 'refund_paid'), 0) AS transfers_sent_fen
    FROM ledger.transfer WHERE order_id IS NOT NULL GROUP BY shop_id, order_id
) AS moved USING (shop_id, order_id)
WHERE coalesce(paid_fen, 0) <> coalesce(transfers_in_fen, 0)
   OR coalesce(back_fen, 0) <> coalesce(transfers_back_fen, 0)
   OR coalesce(sent_fen, 0) <> coalesce(transfers_sent_fen, 0);

-- check: each funder has put in what paid orders were subsidised with, and got back its part of what was refunded
SELECT shop_id, order_id, funder_id, given_fen, transfers_given_fen, returned_fen, transfers_returned_fen
FROM (
    SELECT line.shop_id, line.order_id, (part ->> 'funder_id')::bigint AS funder_id,
           sum((part ->> 'amount_fen')::bigint) AS given_fen,
           sum(div((part ->> 'amount_fen')::numeric * line.refunded_fen, (line.goods_fen - line.subsidy_fen))) AS returned_fen
    FROM orders.line
    JOIN orders.shop_order ON shop_order.shop_id = line.shop_id AND shop_order.id = line.order_id
    CROSS JOIN LATERAL jsonb_array_elements(subsidies) AS part
    WHERE paid_at IS NOT NULL GROUP BY line.shop_id, line.order_id, funder_id
) AS due
FULL JOIN (
    SELECT shop_id, order_id, CASE WHEN debit_kind = 'subsidy' THEN debit_party_id ELSE credit_party_id END AS funder_id,
           coalesce(sum(amount_fen) FILTER (WHERE reason = 'subsidised'), 0) AS transfers_given_fen,
           coalesce(sum(amount_fen) FILTER (WHERE reason = 'subsidy_returned'), 0) AS transfers_returned_fen
    FROM ledger.transfer WHERE reason IN ('subsidised', 'subsidy_returned') GROUP BY shop_id, order_id, funder_id
) AS moved USING (shop_id, order_id, funder_id)
WHERE given_fen IS DISTINCT FROM transfers_given_fen OR returned_fen IS DISTINCT FROM transfers_returned_fen;

-- check: sold stock is what paid orders sold and did not come back
SELECT shop_id, sku_id, stock.sold_quantity, coalesce(sold.quantity, 0) AS orders_quantity
FROM inventory.stock
FULL JOIN (
    SELECT line.shop_id, line.sku_id, sum(line.quantity - line.returned_quantity) AS quantity
    FROM orders.line JOIN orders.shop_order ON shop_order.shop_id = line.shop_id AND shop_order.id = line.order_id
    WHERE paid_at IS NOT NULL GROUP BY line.shop_id, line.sku_id
) AS sold USING (shop_id, sku_id)
WHERE coalesce(stock.sold_quantity, 0) <> coalesce(sold.quantity, 0);

-- check: every placed order holds its stock until it expires, and nothing else does
SELECT shop_id, order_id, sku_id, wanted.quantity, hold.quantity AS held_quantity
FROM inventory.hold
FULL JOIN (
    SELECT line.shop_id, line.order_id, line.sku_id, sum(line.quantity) AS quantity, min(expires_at) AS expires_at
    FROM orders.line JOIN orders.shop_order ON shop_order.shop_id = line.shop_id AND shop_order.id = line.order_id
    WHERE state = 'placed' GROUP BY line.shop_id, line.order_id, line.sku_id
) AS wanted USING (shop_id, order_id, sku_id)
WHERE hold.quantity IS DISTINCT FROM wanted.quantity OR hold.expires_at <> wanted.expires_at;

-- check: what counts towards buyer limits is what buyers hold and have
SELECT shop_id, sku_id, buyer_id, bought.quantity, coalesce(counted.quantity, 0) AS orders_quantity
FROM inventory.bought
FULL JOIN (
    SELECT line.shop_id, line.sku_id, buyer_id, sum(line.quantity - line.returned_quantity) AS quantity
    FROM orders.line JOIN orders.shop_order ON shop_order.shop_id = line.shop_id AND shop_order.id = line.order_id
    WHERE limited AND state <> 'cancelled' GROUP BY line.shop_id, line.sku_id, buyer_id
) AS counted USING (shop_id, sku_id, buyer_id)
WHERE coalesce(bought.quantity, 0) <> coalesce(counted.quantity, 0);

-- check: every order's state can be reached and agrees with its times
SELECT shop_id, id AS order_id, state
FROM orders.shop_order
WHERE (paid_at IS NOT NULL) <> (state NOT IN ('placed', 'cancelled'))
   OR (state IN ('shipped', 'received', 'completed') AND shipped_at IS NULL)
   OR (state IN ('received', 'completed') AND received_at IS NULL)
   OR (state = 'paid' AND (shipped_at IS NOT NULL OR received_at IS NOT NULL))
   OR (state = 'refunded') <> (refunded_fen = total_fen)
   OR (closed_at IS NULL) <> (state NOT IN ('cancelled', 'refunded', 'completed'))
   OR (shipped_at < paid_at) OR (received_at < shipped_at);

-- check: every refund's state agrees with its times
SELECT shop_id, id AS refund_id, state
FROM orders.refund
WHERE (decided_at IS NULL) <> (state = 'requested')
   OR (refunded_at IS NULL) <> (state <> 'refunded')
   OR decided_at < asked_at OR refunded_at < decided_at;

-- check: a refund that waits is its order's only one, and its order is not over
SELECT refund.shop_id, refund.order_id, count(*) AS waiting, min(shop_order.state) AS order_state
FROM orders.refund JOIN orders.shop_order ON shop_order.shop_id = refund.shop_id AND shop_order.id = refund.order_id
WHERE refund.state IN ('requested', 'awaiting_return')
GROUP BY refund.shop_id, refund.order_id
HAVING count(*) > 1 OR min(shop_order.state) NOT IN ('paid', 'shipped', 'received', 'completed');

-- check: every order on its way or in its after-sales window has a deadline
SELECT shop_order.shop_id, shop_order.id AS order_id, state
FROM orders.shop_order
LEFT JOIN orders.deadline ON deadline.shop_id = shop_order.shop_id AND deadline.order_id = shop_order.id
WHERE state IN ('shipped', 'received') AND due_at IS NULL;

-- check: every paid order was paid by one payment that succeeded, with a part for it
SELECT shop_order.shop_id, shop_order.id AS order_id, shop_order.payment_shop_id, shop_order.payment_id
FROM orders.shop_order
LEFT JOIN payments.payment
    ON payment.shop_id = shop_order.payment_shop_id AND payment.id = shop_order.payment_id
LEFT JOIN payments.part
    ON part.shop_id = shop_order.payment_shop_id AND part.payment_id = shop_order.payment_id
    AND part.order_shop_id = shop_order.shop_id AND part.order_id = shop_order.id
WHERE shop_order.paid_at IS NOT NULL
  AND (payment.state IS DISTINCT FROM 'succeeded' OR part.amount_fen IS DISTINCT FROM total_fen);

-- check: money that arrived has paid its order, or goes back, or is on its way to its order; and only one of these
SELECT part.order_shop_id AS shop_id, part.order_id, part.shop_id AS payment_shop_id, part.payment_id, part.amount_fen,
       paid.id IS NOT NULL AS paid, stray.id IS NOT NULL AS stray
FROM payments.part
JOIN payments.payment ON payment.shop_id = part.shop_id AND payment.id = part.payment_id
LEFT JOIN orders.shop_order AS paid
    ON paid.shop_id = part.order_shop_id AND paid.id = part.order_id
    AND paid.payment_shop_id = part.shop_id AND paid.payment_id = part.payment_id
LEFT JOIN orders.stray_payment AS stray
    ON stray.shop_id = part.order_shop_id AND stray.order_id = part.order_id
    AND stray.payment_shop_id = part.shop_id AND stray.payment_id = part.payment_id
LEFT JOIN (
    SELECT shop_id, payload #>> '{arrival,order_id}' AS order_id, payload #>> '{arrival,payment_id}' AS payment_id
    FROM kernel.outbox WHERE topic = 'orders.part_paid'
) AS travelling
    ON travelling.shop_id = part.shop_id AND travelling.order_id = part.order_id::text
    AND travelling.payment_id = part.payment_id::text
WHERE payment.state = 'succeeded'
  AND (paid.id IS NULL) = (stray.id IS NULL)
  AND (paid.id IS NOT NULL OR travelling.order_id IS NULL);

-- check: every refund agreed to and every stray goes back from its payment, and nothing else does
SELECT shop_id, id AS refund_id, due.amount_fen, refund.amount_fen AS asked_fen
FROM (
    SELECT refund.shop_id, refund.id, order_id, payment_shop_id, payment_id, amount_fen
    FROM orders.refund JOIN orders.shop_order ON shop_order.shop_id = refund.shop_id AND shop_order.id = order_id
    WHERE refund.state IN ('refunding', 'refunded')
    UNION ALL
    SELECT shop_id, id, order_id, payment_shop_id, payment_id, amount_fen FROM orders.stray_payment
) AS due
FULL JOIN payments.refund USING (shop_id, id)
WHERE (due.order_id, due.payment_shop_id, due.payment_id, due.amount_fen)
    IS DISTINCT FROM (refund.order_id, refund.payment_shop_id, refund.payment_id, refund.amount_fen);

-- check: money has left the book once the provider has sent it, and not before
SELECT refund.shop_id, refund.id AS refund_id, sent, refund.state AS provider_state
FROM (
    SELECT shop_id, id, state = 'refunded' AS sent FROM orders.refund WHERE state IN ('refunding', 'refunded')
    UNION ALL
    SELECT shop_id, id, refunded_at IS NOT NULL FROM orders.stray_payment
) AS due
JOIN payments.refund ON refund.shop_id = due.shop_id AND refund.id = due.id
LEFT JOIN (
    SELECT shop_id, payload ->> 'refund_id' AS refund_id FROM kernel.outbox WHERE topic = 'payments.refunded'
) AS told ON told.shop_id = refund.shop_id AND told.refund_id = refund.id::text
WHERE sent <> (refund.state = 'succeeded') AND (sent OR told.refund_id IS NULL);

-- check: allotments have spent what orders that are not cancelled were granted and did not give back
SELECT shop_id, campaign_id, funder_id, spent_fen, coalesce(granted_fen, 0) AS orders_fen
FROM policy.allotment
FULL JOIN (
    SELECT line.shop_id, (part ->> 'campaign_id')::bigint AS campaign_id, (part ->> 'funder_id')::bigint AS funder_id,
           sum((part ->> 'amount_fen')::bigint
               - div((part ->> 'amount_fen')::numeric * line.refunded_fen, (line.goods_fen - line.subsidy_fen))) AS granted_fen
    FROM orders.line
    JOIN orders.shop_order ON shop_order.shop_id = line.shop_id AND shop_order.id = line.order_id
    CROSS JOIN LATERAL jsonb_array_elements(subsidies) AS part
    WHERE state <> 'cancelled' GROUP BY line.shop_id, (part ->> 'campaign_id')::bigint, (part ->> 'funder_id')::bigint
) AS granted USING (shop_id, campaign_id, funder_id)
WHERE coalesce(spent_fen, 0) <> coalesce(granted_fen, 0);

-- check: each line's frozen commission is that of the plan version that was in force for its creator when it was placed
SELECT line.shop_id, line.order_id, line_no, line.plan_id, plan_version, line.creator_ppm, version.creator_ppm AS version_ppm
FROM orders.line
JOIN orders.shop_order ON shop_order.shop_id = line.shop_id AND shop_order.id = line.order_id
LEFT JOIN alliance.plan ON plan.shop_id = line.shop_id AND plan.id = line.plan_id
LEFT JOIN alliance.plan_version AS version
    ON version.shop_id = line.shop_id AND version.plan_id = line.plan_id AND version.version = line.plan_version
WHERE earner_id IS NOT NULL
  AND (version.version IS NULL OR version.superseded_at IS NOT NULL OR version.effective_from > placed_at
       OR plan.product_id <> line.product_id OR plan.ends_at <= placed_at - interval '1 minute'
       OR (plan.creator_id IS NOT NULL AND plan.creator_id <> earner_id)
       OR (line.creator_ppm <> version.creator_ppm AND line.creator_ppm <> ALL (version.step_ppm))
       OR (line.agency_ppm IS NOT NULL AND line.agency_ppm <> version.agency_ppm)
       OR EXISTS (SELECT FROM alliance.plan_version AS newer
                  WHERE newer.shop_id = line.shop_id AND newer.plan_id = line.plan_id AND newer.version > plan_version
                    AND newer.superseded_at IS NULL
                    -- A batch that reads while a version is being committed has the one before it.
                    AND newer.effective_from <= placed_at - interval '1 minute'));

-- check: each line's frozen alliance fee and MCN share are those that were in force when it was placed
-- As above, a batch that reads while one is being changed has the one before it.
SELECT line.shop_id, line.order_id, line_no, placed_at, earner_id, line.alliance_ppm, line.mcn_id, line.mcn_ppm
FROM orders.line
JOIN orders.shop_order ON shop_order.shop_id = line.shop_id AND shop_order.id = line.order_id
WHERE earner_id IS NOT NULL
  AND (NOT EXISTS (SELECT FROM (SELECT rate_ppm, effective_from,
                                       lead(effective_from) OVER (ORDER BY effective_from, version) AS until
                                FROM alliance.fee) AS fee
                   WHERE rate_ppm = line.alliance_ppm AND effective_from <= placed_at
                     AND (until IS NULL OR until > placed_at - interval '1 minute'))
       OR CASE WHEN line.mcn_id IS NOT NULL THEN NOT EXISTS (
              SELECT FROM alliance.mcn_member AS member
              WHERE member.creator_id = earner_id AND member.agency_id = line.mcn_id AND split_ppm = line.mcn_ppm
                AND member.starts_at <= placed_at
                AND (member.ends_at IS NULL OR member.ends_at > placed_at - interval '1 minute'))
          ELSE EXISTS (
              SELECT FROM alliance.mcn_member AS member
              WHERE member.creator_id = earner_id AND member.starts_at <= placed_at - interval '1 minute'
                AND (member.ends_at IS NULL OR member.ends_at > placed_at)) END);

-- check: what was sold of kept stock is what lines took of it and did not give back
SELECT shop_id, sku_id, reserve.sold_quantity, coalesce(took.quantity, 0) AS lines_quantity
FROM alliance.reserve
FULL JOIN (
    SELECT line.shop_id, line.sku_id,
           sum(reserved_quantity - greatest(0, returned_quantity - (quantity - reserved_quantity))) AS quantity
    FROM orders.line JOIN orders.shop_order ON shop_order.shop_id = line.shop_id AND shop_order.id = line.order_id
    WHERE reserved_quantity > 0 AND state <> 'cancelled' GROUP BY line.shop_id, line.sku_id
) AS took USING (shop_id, sku_id)
WHERE coalesce(reserve.sold_quantity, 0) <> coalesce(took.quantity, 0);

-- check: what creators sold under plans is what sticks of the lines that were paid, once that has been told
SELECT shop_id, plan_id, creator_id, progress.quantity, sold.quantity AS lines_quantity,
       progress.gmv_fen, sold.gmv_fen AS lines_fen
FROM (
    SELECT line.shop_id, plan_id, earner_id AS creator_id,
           sum(quantity - greatest(returned_quantity, div(quantity::numeric * line.refunded_fen, paid_fen))) AS quantity,
           sum(line.goods_fen - div(line.goods_fen::numeric * line.refunded_fen, paid_fen)) AS gmv_fen
    FROM orders.line
    CROSS JOIN LATERAL (SELECT greatest(line.goods_fen - line.subsidy_fen, 1) AS paid_fen) AS paid
    JOIN orders.shop_order ON shop_order.shop_id = line.shop_id AND shop_order.id = line.order_id
    WHERE earner_id IS NOT NULL AND paid_at IS NOT NULL GROUP BY line.shop_id, plan_id, earner_id
) AS sold
LEFT JOIN alliance.progress USING (shop_id, plan_id, creator_id)
WHERE (progress.quantity, progress.gmv_fen) IS DISTINCT FROM (sold.quantity, sold.gmv_fen)
  AND NOT EXISTS (SELECT FROM kernel.outbox
                  WHERE outbox.shop_id = sold.shop_id AND topic IN ('orders.paid', 'orders.refund_agreed'));

-- check: each line's frozen fee is that of the rule that it names, which was in force when it was placed
SELECT line.shop_id, line.order_id, line_no, placed_at, line.fee_ppm, fee_rule_id, rule.rate_ppm, since, until
FROM orders.line
JOIN orders.shop_order ON shop_order.shop_id = line.shop_id AND shop_order.id = line.order_id
LEFT JOIN (
    SELECT id, rate_ppm, since, until
    FROM policy.fee_rule
    JOIN (SELECT version, starts_at AS since,
                 min(starts_at) OVER (ORDER BY version ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS until
          FROM policy.schedule) AS schedule USING (version)
    UNION ALL
    SELECT id, rate_ppm, starts_at, ends_at FROM policy.programme
) AS rule ON rule.id = fee_rule_id
WHERE fee_rule_id <> 0 AND (line.fee_ppm IS DISTINCT FROM rule.rate_ppm
                            OR since > placed_at OR until <= placed_at - interval '1 minute')
   OR coalesce(fee_rule_id, 0) = 0 AND line.fee_ppm <> 0;

-- check: each rating is of its buyer's own line that was received
SELECT rating.shop_id, rating.order_id, rating.line_no
FROM alliance.rating
LEFT JOIN orders.line USING (shop_id, order_id, line_no)
LEFT JOIN orders.shop_order ON shop_order.shop_id = rating.shop_id AND shop_order.id = rating.order_id
WHERE line.product_id IS DISTINCT FROM rating.product_id OR shop_order.buyer_id IS DISTINCT FROM rating.buyer_id
   OR shop_order.received_at IS NULL;
