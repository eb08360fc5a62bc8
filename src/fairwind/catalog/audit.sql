-- check: a product's lowest price is that of its SKUs on the shelf
SELECT product.shop_id, product.id AS product_id, product.price_fen, min(sku.price_fen) AS lowest_fen
FROM catalog.product
LEFT JOIN catalog.sku ON sku.shop_id = product.shop_id AND sku.product_id = product.id AND sku.on_shelf
GROUP BY product.shop_id, product.id
HAVING product.price_fen IS DISTINCT FROM min(sku.price_fen);

-- check: a SKU's price is the last of its history
SELECT sku.shop_id, sku.id AS sku_id, sku.price_revision, sku.price_fen, sku.list_price_fen
FROM catalog.sku
LEFT JOIN catalog.price_change AS last
    ON last.shop_id = sku.shop_id AND last.sku_id = sku.id AND last.revision = sku.price_revision
WHERE (sku.price_fen, sku.list_price_fen) IS DISTINCT FROM (last.price_fen, last.list_price_fen);

-- check: no price is missing from a SKU's history
SELECT sku.shop_id, sku.id AS sku_id, sku.price_revision, count(price_change.revision) AS prices
FROM catalog.sku
LEFT JOIN catalog.price_change ON price_change.shop_id = sku.shop_id AND price_change.sku_id = sku.id
GROUP BY sku.shop_id, sku.id
HAVING count(price_change.revision) <> sku.price_revision OR max(price_change.revision) <> sku.price_revision;

-- check: every product can be found by its words
SELECT shop_id, product.id AS product_id
FROM catalog.product
WHERE NOT EXISTS (SELECT FROM catalog.wording
                  WHERE wording.shop_id = product.shop_id AND wording.product_id = product.id);
