-- check: A login belongs to one person, whatever its case or width
SELECT array_agg(id ORDER BY id) AS person_ids, lower(normalize(login, NFKC)) AS login
FROM identity.person
GROUP BY lower(normalize(login, NFKC))
HAVING count(*) > 1

-- check: A session that was used has not ended before, and no session belongs to nobody
SELECT session.person_id, session.seen_at, session.expires_at
FROM identity.session LEFT JOIN identity.person ON person.id = session.person_id
WHERE session.expires_at <= session.seen_at OR session.seen_at < session.created_at OR person.id IS NULL
