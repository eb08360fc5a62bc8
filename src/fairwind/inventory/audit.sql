-- check: adjusted stock is the sum of its adjustments
SELECT shop_id, sku_id, stock.adjusted_quantity, coalesce(made.quantity, 0) AS adjustments
FROM inventory.stock
LEFT JOIN (SELECT shop_id, sku_id, sum(quantity) AS quantity FROM inventory.adjustment GROUP BY shop_id, sku_id) AS made
    USING (shop_id, sku_id)
WHERE stock.adjusted_quantity <> coalesce(made.quantity, 0);

-- check: held stock is the sum of its holds
SELECT shop_id, sku_id, stock.held_quantity, kept.quantity AS holds
FROM inventory.stock
FULL JOIN (SELECT shop_id, sku_id, sum(quantity) AS quantity FROM inventory.hold GROUP BY shop_id, sku_id) AS kept
    USING (shop_id, sku_id)
WHERE coalesce(stock.held_quantity, 0) <> coalesce(kept.quantity, 0);

-- check: no stock is oversold
SELECT shop_id, sku_id, adjusted_quantity, sold_quantity, held_quantity
FROM inventory.stock WHERE adjusted_quantity - sold_quantity - held_quantity < 0 OR held_quantity < 0 OR sold_quantity < 0;

-- check: what searches show as in stock is available
SELECT sku.shop_id, sku.id AS sku_id, in_stock, adjusted_quantity - sold_quantity - held_quantity AS available
FROM catalog.sku LEFT JOIN inventory.stock ON stock.shop_id = sku.shop_id AND stock.sku_id = sku.id
WHERE in_stock <> coalesce(adjusted_quantity - sold_quantity - held_quantity > 0, false);
