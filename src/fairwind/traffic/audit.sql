-- check: what is kept of each host's days is what the exposure log says, as long as the log is kept
SELECT host_no, day, there.impressions, log.impressions AS log_impressions, there.clicks, log.clicks AS log_clicks
FROM (SELECT * FROM traffic.host_day WHERE impressions > 0 AND day > (SELECT (min(seen_at) AT TIME ZONE 'Asia/Shanghai')::date
                                                                      FROM traffic.exposure)) AS there
FULL JOIN (
    SELECT host_no, (seen_at AT TIME ZONE 'Asia/Shanghai')::date AS day, count(*) AS impressions,
           count(*) FILTER (WHERE why = 1) AS by_floor, count(*) FILTER (WHERE why = 2) AS by_stage,
           count(*) FILTER (WHERE why = 3) AS by_welfare, count(*) FILTER (WHERE clicked) AS clicks,
           sum(watch_ms) AS watch_ms
    FROM traffic.exposure
    WHERE (seen_at AT TIME ZONE 'Asia/Shanghai')::date > (SELECT (min(seen_at) AT TIME ZONE 'Asia/Shanghai')::date
                                                         FROM traffic.exposure)
    GROUP BY host_no, (seen_at AT TIME ZONE 'Asia/Shanghai')::date
) AS log USING (host_no, day)
WHERE (there.impressions, there.by_floor, there.by_stage, there.by_welfare, there.clicks, there.watch_ms)
      IS DISTINCT FROM (log.impressions, log.by_floor, log.by_stage, log.by_welfare, log.clicks, log.watch_ms);

-- check: what is known of each item is what came of its exposures, and of those before the log
SELECT kind, id, item.impressions, log.impressions AS log_impressions
FROM traffic.item
LEFT JOIN (
    SELECT item_kind AS kind, item_id AS id, count(*) AS impressions, count(*) FILTER (WHERE clicked) AS clicks
    FROM traffic.exposure GROUP BY item_kind, item_id
) AS log USING (kind, id)
WHERE item.impressions < coalesce(log.impressions, 0) OR item.clicks < coalesce(log.clicks, 0);

-- check: hosts are numbered without a gap
SELECT no, place FROM (SELECT no, row_number() OVER (ORDER BY no) - 1 AS place FROM traffic.host) AS host
WHERE no <> place;

-- check: every exposure is of a host that there is
SELECT exposure.feed_id, exposure.slot, exposure.host_no
FROM traffic.exposure LEFT JOIN traffic.host ON host.no = exposure.host_no WHERE host.no IS NULL;

-- check: no host was seen while it was kept out of the feed, nor served a moment after
SELECT exposure.feed_id, exposure.slot, exposure.host_no, served_at, suspended_at
FROM traffic.suspension
JOIN traffic.exposure ON exposure.host_no = suspension.host_no
    AND served_at > suspended_at + interval '1 minute' AND (lifted_at IS NULL OR served_at < lifted_at)
    AND (until IS NULL OR served_at < until);

-- check: a host is kept out once at a time
SELECT host_no, one.id, other.id AS other_id
FROM traffic.suspension AS one JOIN traffic.suspension AS other USING (host_no)
WHERE one.id < other.id
  AND one.suspended_at < least(other.lifted_at, other.until, 'infinity')
  AND other.suspended_at < least(one.lifted_at, one.until, 'infinity');

-- check: the versions of the traffic policy follow each other
SELECT version FROM (
    SELECT version, published_at, row_number() OVER (ORDER BY version) AS place,
           lag(published_at) OVER (ORDER BY version) AS before
    FROM traffic.policy
) AS policy
WHERE version <> place OR published_at < before;

-- check: nothing that was counted waits for the leader for more than an hour
SELECT id, made_at FROM traffic.delta WHERE made_at < (SELECT max(made_at) FROM traffic.price) - interval '1 hour';
