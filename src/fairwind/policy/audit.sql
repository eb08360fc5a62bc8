-- check: each fee schedule has a rate for the shops of every channel at every age
SELECT version, channel, rule.age_until_days AS left_out_from_days
FROM policy.schedule
CROSS JOIN unnest('{own,youzan,mokuai,supplier}'::text[]) AS channel
-- Behind each of its general rates, and before the first, another has to begin.
CROSS JOIN LATERAL (
    SELECT 0 AS age_until_days
    UNION
    SELECT age_until_days FROM policy.fee_rule
    WHERE fee_rule.version = schedule.version AND fee_rule.channel = channel.channel AND category_id IS NULL
) AS rule
WHERE rule.age_until_days IS NOT NULL
  AND NOT EXISTS (SELECT FROM policy.fee_rule AS next
                  WHERE next.version = schedule.version AND next.channel = channel.channel
                    AND next.category_id IS NULL AND next.age_from_days = rule.age_until_days);

-- check: no two rates of a fee schedule are for the same shops and goods
SELECT one.version, one.channel, one.category_id, one.id AS rule_id, other.id AS other_rule_id
FROM policy.fee_rule AS one
JOIN policy.fee_rule AS other
    ON other.version = one.version AND other.channel = one.channel AND other.id <> one.id
    AND other.category_id IS NOT DISTINCT FROM one.category_id
    AND other.age_from_days >= one.age_from_days
    AND (one.age_until_days IS NULL OR other.age_from_days < one.age_until_days);

-- check: a rule's id names one rate, of a schedule or of a support programme
SELECT id, fee_rule.rate_ppm, programme.rate_ppm AS programme_rate_ppm
FROM policy.fee_rule JOIN policy.programme USING (id);

-- check: fees, support programmes and after-sales windows speak of categories that exist
SELECT said.source, said.category_id
FROM (
    SELECT 'fee_rule' AS source, category_id FROM policy.fee_rule WHERE category_id IS NOT NULL
    UNION
    SELECT 'programme', unnest(categories) FROM policy.programme
    UNION
    SELECT 'after_sales_window', category_id FROM policy.after_sales_window
) AS said
WHERE NOT EXISTS (SELECT FROM catalog.category WHERE category.id = said.category_id);

-- check: the versions of a support programme run one after the other
SELECT one.code, one.id AS programme_id, other.id AS other_programme_id
FROM policy.programme AS one
JOIN policy.programme AS other
    ON other.code = one.code AND other.id > one.id
    AND tstzrange(other.starts_at, other.ends_at) && tstzrange(one.starts_at, one.ends_at);

-- check: a shop is enrolled in a support programme once at a time
SELECT one.shop_id, one.programme_id, one.starts_at, other.starts_at AS other_starts_at
FROM policy.enrolment AS one
JOIN policy.enrolment AS other
    ON other.shop_id = one.shop_id AND other.programme_id = one.programme_id
    AND other.starts_at > one.starts_at AND other.starts_at < one.ends_at;

-- check: every enrolment was earned by as much as its support programme asks for
SELECT enrolment.shop_id, programme_id, enrolment.starts_at, measured, conditions
FROM policy.enrolment JOIN policy.programme ON programme.id = programme_id
WHERE measured < CASE conditions ->> 'kind' WHEN 'growth_tier' THEN (conditions ->> 'paid_min_fen')::bigint
                                            WHEN 'content_incentive' THEN (conditions ->> 'sessions_min')::bigint
                                            ELSE measured + 1 END
   OR measured_to - measured_from + 1 IS DISTINCT FROM (conditions ->> 'within_days')::integer;

-- check: what earned an enrolment is what the shop did
SELECT enrolment.shop_id, programme_id, enrolment.starts_at, measured, did.amount
FROM policy.enrolment
JOIN policy.programme ON programme.id = programme_id
CROSS JOIN LATERAL (
    SELECT CASE conditions ->> 'kind'
        WHEN 'growth_tier' THEN (
            SELECT coalesce(sum(paid_fen), 0) FROM policy.turnover
            WHERE turnover.shop_id = enrolment.shop_id AND day BETWEEN measured_from AND measured_to)
        ELSE (
            SELECT count(*) FROM policy.live_sale
            WHERE live_sale.shop_id = enrolment.shop_id AND last_sold_on >= measured_from)
    END AS amount
) AS did
-- Sales that were told of later were not counted then, and what refunds have undone since was.
WHERE measured > did.amount;

-- check: the shares of a campaign's funders sum to the whole
SELECT campaign.id AS campaign_id, coalesce(sum(share_ppm), 0) AS shares_ppm
FROM policy.campaign LEFT JOIN policy.funding ON campaign_id = campaign.id
GROUP BY campaign.id HAVING coalesce(sum(share_ppm), 0) <> 1000000;

-- check: a campaign is agreed upon when every funder has accepted, and not before
SELECT campaign.id AS campaign_id, state, agreed_at, count(*) FILTER (WHERE accepted_at IS NULL) AS missing
FROM policy.campaign JOIN policy.funding ON campaign_id = campaign.id
GROUP BY campaign.id
HAVING (agreed_at IS NOT NULL) <> (count(*) FILTER (WHERE accepted_at IS NULL) = 0)
    OR agreed_at < max(accepted_at);

-- check: what shops have drawn of a budget is within it
SELECT campaign_id, funder_id, budget_fen, drawn_fen
FROM policy.funding WHERE drawn_fen NOT BETWEEN 0 AND budget_fen;

-- check: what is drawn of a budget is the sum of what shops have drawn
SELECT campaign_id, funder_id, funding.drawn_fen, coalesce(allotted.drawn_fen, 0) AS allotted_fen
FROM policy.funding
LEFT JOIN (
    SELECT campaign_id, funder_id, sum(drawn_fen) AS drawn_fen FROM policy.allotment GROUP BY campaign_id, funder_id
) AS allotted USING (campaign_id, funder_id)
WHERE funding.drawn_fen <> coalesce(allotted.drawn_fen, 0);

-- check: no shop has spent more of a budget than it has drawn
SELECT shop_id, campaign_id, funder_id, drawn_fen, spent_fen
FROM policy.allotment WHERE spent_fen NOT BETWEEN 0 AND drawn_fen;

-- check: what a shop has spent of a budget is what its burn-down says
SELECT shop_id, campaign_id, funder_id, allotment.spent_fen, coalesce(burnt.net_fen, 0) AS burnt_fen
FROM policy.allotment
LEFT JOIN (
    SELECT shop_id, campaign_id, funder_id, sum(spent_fen - given_back_fen) AS net_fen
    FROM policy.burn_down GROUP BY shop_id, campaign_id, funder_id
) AS burnt USING (shop_id, campaign_id, funder_id)
WHERE allotment.spent_fen <> coalesce(burnt.net_fen, 0);

-- check: no buyer has got more of a campaign than each buyer may
SELECT buyer_id, campaign_id, cap_fen, received_fen, buyer_max_fen
FROM policy.buyer_cap LEFT JOIN policy.campaign ON campaign.id = campaign_id
WHERE received_fen NOT BETWEEN 0 AND cap_fen OR cap_fen IS DISTINCT FROM buyer_max_fen;

-- check: what buyers have got of a campaign with a cap for each is what its shops have spent
SELECT campaign.id AS campaign_id, coalesce(received_fen, 0) AS received_fen, coalesce(spent_fen, 0) AS spent_fen
FROM policy.campaign
LEFT JOIN (
    SELECT campaign_id, sum(received_fen) AS received_fen FROM policy.buyer_cap GROUP BY campaign_id
) AS got ON got.campaign_id = campaign.id
LEFT JOIN (
    SELECT campaign_id, sum(spent_fen) AS spent_fen FROM policy.allotment GROUP BY campaign_id
) AS paid ON paid.campaign_id = campaign.id
WHERE buyer_max_fen IS NOT NULL AND coalesce(received_fen, 0) <> coalesce(spent_fen, 0);
