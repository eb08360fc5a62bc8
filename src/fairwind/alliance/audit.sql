-- check: each product has one live plan of a kind, and one activity per agency
SELECT earlier.shop_id, earlier.product_id, earlier.kind, earlier.id AS plan_id, later.id AS other_plan_id
FROM alliance.plan AS earlier
JOIN alliance.plan AS later ON later.shop_id = earlier.shop_id AND later.product_id = earlier.product_id
    AND later.kind = earlier.kind AND later.agency_id IS NOT DISTINCT FROM earlier.agency_id
    AND (later.made_at, later.id) > (earlier.made_at, earlier.id)
WHERE earlier.ends_at IS NULL OR earlier.ends_at > later.made_at;

-- check: the versions of a plan count from 1 and follow each other in time
SELECT shop_id, plan_id, version, effective_from
FROM (
    SELECT shop_id, plan_id, version, effective_from, superseded_at,
           row_number() OVER (PARTITION BY shop_id, plan_id ORDER BY version) AS place,
           lag(published_at) OVER (PARTITION BY shop_id, plan_id ORDER BY version) AS published_before,
           max(effective_from) FILTER (WHERE superseded_at IS NULL)
               OVER (PARTITION BY shop_id, plan_id ORDER BY version ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
               AS taken_before,
           published_at
    FROM alliance.plan_version
) AS version
WHERE version <> place OR published_at < published_before
   OR (superseded_at IS NULL AND effective_from < taken_before);

-- check: a plan ends when its last version says so
SELECT plan.shop_id, plan.id AS plan_id, plan.ends_at, last.version
FROM alliance.plan
LEFT JOIN LATERAL (
    SELECT version, creator_ppm, effective_from FROM alliance.plan_version
    WHERE plan_version.shop_id = plan.shop_id AND plan_version.plan_id = plan.id AND superseded_at IS NULL
    ORDER BY version DESC LIMIT 1) AS last ON true
WHERE last.version IS NULL
   OR plan.ends_at IS DISTINCT FROM CASE WHEN last.creator_ppm IS NULL THEN last.effective_from END;

-- check: a cut takes effect at a midnight in China after it was published, anything else at once
SELECT version.shop_id, plan_id, version, cut, published_at, effective_from
FROM alliance.plan_version AS version
JOIN alliance.plan ON plan.shop_id = version.shop_id AND plan.id = version.plan_id
WHERE effective_from <> CASE
    WHEN cut OR (kind = 'exclusive' AND effective_from <> published_at)
    THEN (date_trunc('day', published_at AT TIME ZONE 'Asia/Shanghai') + interval '1 day') AT TIME ZONE 'Asia/Shanghai'
    ELSE published_at END;

-- check: nobody has less by a version that is no cut
SELECT shop_id, plan_id, version, creator_ppm, agency_ppm
FROM (
    SELECT shop_id, plan_id, version, creator_ppm, agency_ppm, cut,
           lag(creator_ppm) OVER taken AS creator_ppm_before, lag(agency_ppm) OVER taken AS agency_ppm_before
    FROM alliance.plan_version WHERE superseded_at IS NULL
    WINDOW taken AS (PARTITION BY shop_id, plan_id ORDER BY version)
) AS version
WHERE NOT cut AND (coalesce(creator_ppm, 0) < creator_ppm_before OR agency_ppm < agency_ppm_before);

-- check: no plan promises more than plans of its kind may
SELECT version.shop_id, plan_id, version, kind, creator_ppm, agency_ppm, step_ppm
FROM alliance.plan_version AS version
JOIN alliance.plan ON plan.shop_id = version.shop_id AND plan.id = version.plan_id
CROSS JOIN LATERAL (SELECT max(ppm) AS highest_ppm
                    FROM unnest(array_append(step_ppm, creator_ppm)) AS rate (ppm)) AS rate
WHERE highest_ppm > CASE WHEN kind IN ('ordinary', 'activity') THEN 500000 ELSE 800000 END
   OR highest_ppm + agency_ppm > 900000
   OR (agency_ppm > 0 AND kind <> 'activity');

-- check: an exclusive plan is cut by at most five points, once in seven days
SELECT version.shop_id, plan_id, version, creator_ppm, creator_ppm_before, effective_from
FROM (
    SELECT shop_id, plan_id, version, creator_ppm, cut, effective_from,
           lag(creator_ppm) OVER (PARTITION BY shop_id, plan_id ORDER BY version) AS creator_ppm_before,
           max(effective_from) FILTER (WHERE cut AND creator_ppm IS NOT NULL)
               OVER (PARTITION BY shop_id, plan_id ORDER BY version ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
               AS cut_before
    FROM alliance.plan_version WHERE superseded_at IS NULL
) AS version
JOIN alliance.plan ON plan.shop_id = version.shop_id AND plan.id = version.plan_id
WHERE kind = 'exclusive' AND cut AND creator_ppm IS NOT NULL
  AND (creator_ppm_before - creator_ppm > 50000 OR effective_from < cut_before + interval '7 days');

-- check: every targeted plan has an ordinary one beside it for as long as it lives
SELECT shop_id, id AS plan_id, product_id, ends_at
FROM alliance.plan AS targeted
WHERE kind = 'targeted' AND NOT EXISTS (
    SELECT FROM alliance.plan AS ordinary
    WHERE ordinary.shop_id = targeted.shop_id AND ordinary.product_id = targeted.product_id
      AND ordinary.kind = 'ordinary' AND ordinary.made_at <= targeted.made_at
      AND (ordinary.ends_at IS NULL OR ordinary.ends_at >= targeted.ends_at));

-- check: the pool shows each product's best public rate, and none while an exclusive plan is in force
SELECT item.shop_id, item.product_id, item.public_ppm, found.public_ppm AS by_plans, refreshed_at
FROM alliance.pool_item AS item
CROSS JOIN LATERAL (
    SELECT CASE WHEN bool_or(plan.kind = 'exclusive') THEN NULL
                ELSE max(promised.creator_ppm) FILTER (WHERE plan.kind IN ('ordinary', 'activity')) END AS public_ppm
    FROM alliance.plan
    CROSS JOIN LATERAL (
        SELECT creator_ppm FROM alliance.plan_version
        WHERE plan_version.shop_id = plan.shop_id AND plan_version.plan_id = plan.id
          AND superseded_at IS NULL AND effective_from <= refreshed_at
        ORDER BY effective_from DESC, version DESC LIMIT 1) AS promised
    WHERE plan.shop_id = item.shop_id AND plan.product_id = item.product_id AND promised.creator_ppm IS NOT NULL
) AS found
WHERE item.public_ppm IS DISTINCT FROM CASE WHEN refreshed_at IS NOT NULL THEN found.public_ppm END;

-- check: every plan and pick is of a product that its shop has
SELECT shop_id, product_id, 'plan' AS what FROM alliance.plan
WHERE NOT EXISTS (SELECT FROM catalog.product WHERE product.shop_id = plan.shop_id AND product.id = plan.product_id)
UNION ALL
SELECT shop_id, product_id, 'pick' FROM alliance.pick
WHERE NOT EXISTS (SELECT FROM catalog.product WHERE product.shop_id = pick.shop_id AND product.id = pick.product_id);

-- check: every participant is one of a targeted plan
SELECT participant.shop_id, plan_id, participant.creator_id
FROM alliance.participant LEFT JOIN alliance.plan ON plan.shop_id = participant.shop_id AND plan.id = plan_id
WHERE kind IS DISTINCT FROM 'targeted';

-- check: what is kept of stock is within its bounds and of the SKU's own product
SELECT reserve.shop_id, reserve.sku_id, kept_quantity, reserve.sold_quantity, reserve.product_id
FROM alliance.reserve
LEFT JOIN catalog.sku ON sku.shop_id = reserve.shop_id AND sku.id = reserve.sku_id
LEFT JOIN inventory.stock ON stock.shop_id = reserve.shop_id AND stock.sku_id = reserve.sku_id
WHERE reserve.sold_quantity < 0 OR reserve.sold_quantity > kept_quantity
   OR reserve.sold_quantity > stock.sold_quantity + stock.held_quantity
   OR sku.product_id IS DISTINCT FROM reserve.product_id;

-- check: no creator belongs to two MCNs at once
SELECT earlier.creator_id, earlier.id AS member_id, later.id AS other_member_id
FROM alliance.mcn_member AS earlier JOIN alliance.mcn_member AS later USING (creator_id)
WHERE earlier.starts_at IS NOT NULL AND later.starts_at IS NOT NULL
  AND (earlier.starts_at, earlier.id) < (later.starts_at, later.id)
  AND (earlier.ends_at IS NULL OR earlier.ends_at > later.starts_at);

-- check: what creators sold by days is what they sold under plans
SELECT coalesce(day.shop_id, plan.shop_id) AS shop_id, creator_id, day.gmv_fen AS by_days, plan.gmv_fen AS by_plans
FROM (SELECT shop_id, creator_id, sum(quantity) AS quantity, sum(gmv_fen) AS gmv_fen
      FROM alliance.creator_day GROUP BY shop_id, creator_id) AS day
FULL JOIN (SELECT shop_id, creator_id, sum(quantity) AS quantity, sum(gmv_fen) AS gmv_fen
           FROM alliance.progress GROUP BY shop_id, creator_id) AS plan USING (shop_id, creator_id)
WHERE (day.quantity, day.gmv_fen) IS DISTINCT FROM (plan.quantity, plan.gmv_fen);

-- check: each short link is of a promotion of its creator and leads to what its shop has
SELECT link.code, link.creator_id, promotion.creator_id AS promotion_creator_id, link.shop_id, link.product_id
FROM alliance.link JOIN alliance.promotion ON promotion.id = promotion_id
WHERE link.creator_id <> promotion.creator_id
   OR NOT EXISTS (SELECT FROM catalog.shop WHERE shop.shop_id = link.shop_id)
   OR (link.product_id IS NOT NULL
       AND NOT EXISTS (SELECT FROM catalog.product
                       WHERE product.shop_id = link.shop_id AND product.id = link.product_id));

-- check: each click has the terms of its link
SELECT click.shop_id, click.id AS click_id, click.link_code
FROM alliance.click LEFT JOIN alliance.link ON link.code = click.link_code
WHERE (click.shop_id, click.creator_id, click.promotion_id, click.product_id, click.window_s, click.model)
      IS DISTINCT FROM
      (link.shop_id, link.creator_id, link.promotion_id, link.product_id, link.window_s, link.model);

-- check: every click was counted on its day in China
SELECT kept.shop_id, kept.link_code, kept.day, kept.clicks AS kept, link_day.clicks AS counted
FROM (SELECT shop_id, link_code, (clicked_at AT TIME ZONE 'UTC' + interval '8 hours')::date AS day, count(*) AS clicks
      FROM alliance.click GROUP BY shop_id, link_code, day) AS kept
LEFT JOIN alliance.link_day
    ON link_day.shop_id = kept.shop_id AND link_day.link_code = kept.link_code AND link_day.day = kept.day
WHERE kept.clicks > coalesce(link_day.clicks, 0);

-- check: samples given are those that were agreed to
SELECT shop_id, product_id, given_quantity, coalesce(agreed.samples, 0) AS agreed
FROM alliance.sample_offer
LEFT JOIN (SELECT shop_id, product_id, count(*) AS samples
           FROM alliance.sample WHERE state IN ('approved', 'shipped', 'received', 'shown', 'overdue')
           GROUP BY shop_id, product_id) AS agreed USING (shop_id, product_id)
WHERE given_quantity <> coalesce(agreed.samples, 0);

-- check: what is offered as a sample or stands in the quality pool is a product of its shop
SELECT given.shop_id, given.product_id
FROM (SELECT shop_id, product_id FROM alliance.sample_offer
      UNION SELECT shop_id, product_id FROM alliance.nomination) AS given
LEFT JOIN catalog.product ON product.shop_id = given.shop_id AND product.id = given.product_id
WHERE product.id IS NULL;

-- check: versions of the quality criteria follow each other
SELECT criteria.version, criteria.set_at, before.set_at AS set_before_at
FROM alliance.quality_criteria AS criteria
LEFT JOIN alliance.quality_criteria AS before ON before.version = criteria.version - 1
WHERE criteria.version > 1 AND (before.set_at IS NULL OR before.set_at > criteria.set_at);

-- check: what is kept of each product's ratings is what they sum to
SELECT shop_id, product_id, summed.ratings, kept.ratings AS kept_ratings, summed.stars, kept.stars AS kept_stars
FROM alliance.product_rating AS kept
FULL JOIN (SELECT shop_id, product_id, count(*) AS ratings, sum(stars) AS stars
           FROM alliance.rating GROUP BY shop_id, product_id) AS summed USING (shop_id, product_id)
WHERE coalesce(kept.ratings, 0) <> coalesce(summed.ratings, 0) OR coalesce(kept.stars, 0) <> coalesce(summed.stars, 0);
