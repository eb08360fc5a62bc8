-- check: every event was taken by its consumers before it had to be parked
SELECT shop_id, topic, id AS event_id, attempts, created_at
FROM kernel.outbox WHERE parked ORDER BY created_at;

-- check: no event waits in the outbox for more than a day
SELECT shop_id, topic, id AS event_id, attempts, created_at
FROM kernel.outbox WHERE NOT parked AND created_at < now() - interval '1 day' ORDER BY created_at;

-- check: each context took its schema versions without a gap
SELECT context, max(version) AS newest, count(*) AS taken
FROM kernel.schema_version GROUP BY context HAVING max(version) <> count(*);
