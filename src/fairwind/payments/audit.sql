-- check: each payment's parts sum to its amount
SELECT payment.shop_id, payment.id AS payment_id, payment.amount_fen, coalesce(parts.sum_fen, 0) AS parts_fen
FROM payments.payment
LEFT JOIN (
    SELECT shop_id, payment_id, sum(amount_fen) AS sum_fen FROM payments.part GROUP BY shop_id, payment_id
) AS parts ON parts.shop_id = payment.shop_id AND parts.payment_id = payment.id
WHERE payment.amount_fen IS DISTINCT FROM coalesce(parts.sum_fen, 0);

-- check: each payment lives in the lowest shop of its parts
SELECT shop_id, payment_id, min(order_shop_id) AS lowest_shop_id
FROM payments.part GROUP BY shop_id, payment_id HAVING min(order_shop_id) <> shop_id;

-- check: what is asked back of a part is the sum of its refunds
SELECT cap.shop_id, cap.payment_id, cap.asked_fen, coalesce(refunds.sum_fen, 0) AS refunds_fen
FROM payments.refund_cap AS cap
LEFT JOIN (
    SELECT shop_id, payment_shop_id, payment_id, sum(amount_fen) AS sum_fen
    FROM payments.refund GROUP BY shop_id, payment_shop_id, payment_id
) AS refunds ON refunds.shop_id = cap.shop_id AND refunds.payment_shop_id = cap.payment_shop_id
    AND refunds.payment_id = cap.payment_id
WHERE cap.asked_fen IS DISTINCT FROM coalesce(refunds.sum_fen, 0);

-- check: refunds come only from parts that brought money, and reckon with what each brought
SELECT cap.shop_id, cap.payment_id, cap.order_id, cap.part_fen, part.amount_fen, payment.state
FROM payments.refund_cap AS cap
LEFT JOIN payments.part
    ON part.shop_id = cap.payment_shop_id AND part.payment_id = cap.payment_id AND part.order_shop_id = cap.shop_id
LEFT JOIN payments.payment ON payment.shop_id = cap.payment_shop_id AND payment.id = cap.payment_id
WHERE payment.state IS DISTINCT FROM 'succeeded'
   OR (part.order_id, part.amount_fen) IS DISTINCT FROM (cap.order_id, cap.part_fen);
