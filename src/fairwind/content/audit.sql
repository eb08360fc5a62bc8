-- check: each room's host is a person
SELECT room.id AS room_id, host_id
FROM content.room LEFT JOIN identity.person ON person.id = host_id
WHERE person.id IS NULL;

-- check: each live session is held by the host of its room
SELECT live_session.id AS session_id, live_session.host_id, room.host_id AS room_host_id
FROM content.live_session JOIN content.room ON room.id = room_id
WHERE live_session.host_id <> room.host_id;

-- check: each pin names a product that its shop has
SELECT shop_id, session_id, product_id
FROM content.pin
WHERE NOT EXISTS (SELECT FROM catalog.product WHERE product.shop_id = pin.shop_id AND product.id = pin.product_id);

-- check: nothing was pinned before its live session began
SELECT shop_id, session_id, product_id, pinned_at, started_at
FROM content.pin JOIN content.live_session ON live_session.id = session_id
WHERE pinned_at < started_at;
