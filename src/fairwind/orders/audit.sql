-- check: each order's goods are the sum of its lines, and its total is goods plus freight
SELECT shop_id, id AS order_id, shop_order.goods_fen, freight_fen, total_fen, sold.goods_fen AS lines_fen
FROM orders.shop_order
LEFT JOIN (SELECT shop_id, order_id AS id, sum(goods_fen) AS goods_fen, bool_and(goods_fen = price_fen * quantity) AS priced
           FROM orders.line GROUP BY shop_id, order_id) AS sold USING (shop_id, id)
WHERE shop_order.goods_fen IS DISTINCT FROM sold.goods_fen OR total_fen <> shop_order.goods_fen + freight_fen OR NOT priced;

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
    FROM ledger.transfer GROUP BY shop_id, order_id
) AS moved USING (shop_id, order_id)
WHERE coalesce(paid_fen, 0) <> coalesce(transfers_in_fen, 0)
   OR coalesce(back_fen, 0) <> coalesce(transfers_back_fen, 0)
   OR coalesce(sent_fen, 0) <> coalesce(transfers_sent_fen, 0);

-- check: each book's escrow is what paid orders still hold
SELECT shop_id, coalesce(balance_fen, 0) AS balance_fen, coalesce(held_fen, 0) AS orders_fen
FROM (SELECT shop_id, balance_fen FROM ledger.account WHERE kind = 'escrow') AS escrow
FULL JOIN (SELECT shop_id, sum(total_fen - refunded_fen) AS held_fen
           FROM orders.shop_order WHERE paid_at IS NOT NULL GROUP BY shop_id) AS held USING (shop_id)
WHERE coalesce(balance_fen, 0) <> coalesce(held_fen, 0);

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
   OR (state = 'refunded') <> (refunded_fen = total_fen AND state <> 'completed')
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
HAVING count(*) > 1 OR min(shop_order.state) NOT IN ('paid', 'shipped', 'received');

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
