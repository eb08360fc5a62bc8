-- version 1

-- Traffic is shared over all shops and rooms at once: its tables stay on the coordinator.

-- What the operator set, and when. settings: those that differ from the defaults of the code, so that a version means the
-- same as long as the defaults do; the highest version is in force.
CREATE TABLE traffic.policy (
    version      integer PRIMARY KEY CHECK (version >= 1),
    request_id   uuid UNIQUE,
    settings     jsonb NOT NULL CHECK (jsonb_typeof(settings) = 'object'),
    note         text NOT NULL CHECK (char_length(note) <= 500),
    published_by bigint,
    published_at timestamptz NOT NULL
);
INSERT INTO traffic.policy (version, settings, note, published_by, published_at)
VALUES (1, '{}', 'the first policy', NULL, '2000-01-01 00:00:00+00');

-- Whose exposure is shared: creators with their rooms and shops with their goods. no: their place in the arrays of prices
-- and counts, from 0 without gaps, for ever theirs.
CREATE TABLE traffic.host (
    no         integer PRIMARY KEY CHECK (no >= 0),
    kind       text NOT NULL CHECK (kind IN ('creator', 'shop')),
    subject_id bigint NOT NULL,
    entered_at timestamptz NOT NULL,
    CONSTRAINT host_once UNIQUE (kind, subject_id)
);

-- Kept out of the feed by an operator.
CREATE TABLE traffic.suspension (
    id           uuid PRIMARY KEY,
    host_no      integer NOT NULL REFERENCES traffic.host,
    reason       text NOT NULL CHECK (char_length(reason) BETWEEN 1 AND 500),
    suspended_by bigint NOT NULL,
    suspended_at timestamptz NOT NULL,
    until        timestamptz CHECK (until > suspended_at),
    lifted_by    bigint,
    lifted_at    timestamptz CHECK (lifted_at >= suspended_at),
    CONSTRAINT suspension_lifted CHECK ((lifted_at IS NULL) = (lifted_by IS NULL))
);
CREATE INDEX suspension_in_force ON traffic.suspension (host_no) WHERE lifted_at IS NULL;

-- The exposure log: every item that a viewer told of as seen, with why it was in its slot. feed_id and slot are signed by
-- the server, so that each slot counts once. viewer: a keyed hash.
CREATE TABLE traffic.exposure (
    feed_id        uuid     NOT NULL,
    slot           smallint NOT NULL CHECK (slot >= 0),
    slots          smallint NOT NULL CHECK (slots > slot),
    served_at      timestamptz NOT NULL,
    seen_at        timestamptz NOT NULL CHECK (seen_at >= served_at),
    host_no        integer  NOT NULL,
    item_kind      smallint NOT NULL CHECK (item_kind IN (1, 2)),
    item_id        uuid     NOT NULL,
    viewer         bigint   NOT NULL,
    why            smallint NOT NULL CHECK (why BETWEEN 0 AND 3),
    utility        real     NOT NULL,
    policy_version integer  NOT NULL,
    price_version  bigint   NOT NULL,
    clicked        boolean  NOT NULL,
    watch_ms       integer  NOT NULL CHECK (watch_ms >= 0),
    PRIMARY KEY (feed_id, slot)
);
CREATE INDEX exposure_of_host ON traffic.exposure (host_no, seen_at);
CREATE INDEX exposure_by_time ON traffic.exposure (seen_at);
CREATE INDEX exposure_of_viewer ON traffic.exposure (viewer, seen_at);

-- What came of a host on a day in China; stays when the log goes. candidacies: in how many requests it could have been
-- shown.
CREATE TABLE traffic.host_day (
    host_no     integer NOT NULL,
    day         date    NOT NULL,
    impressions bigint  NOT NULL CHECK (impressions >= 0),
    by_floor    bigint  NOT NULL CHECK (by_floor >= 0),
    by_stage    bigint  NOT NULL CHECK (by_stage >= 0),
    by_welfare  bigint  NOT NULL CHECK (by_welfare >= 0),
    clicks      bigint  NOT NULL CHECK (clicks >= 0),
    watch_ms    bigint  NOT NULL CHECK (watch_ms >= 0),
    candidacies bigint  NOT NULL DEFAULT 0 CHECK (candidacies >= 0),
    PRIMARY KEY (host_no, day),
    CONSTRAINT host_day_why CHECK (by_floor + by_stage + by_welfare <= impressions)
) WITH (fillfactor = 80);

-- What is known of an item, for the prediction of its utility.
CREATE TABLE traffic.item (
    kind        smallint NOT NULL CHECK (kind IN (1, 2)),
    id          uuid    NOT NULL,
    host_no     integer NOT NULL,
    impressions bigint  NOT NULL CHECK (impressions >= 0),
    clicks      bigint  NOT NULL CHECK (clicks >= 0),
    orders      bigint  NOT NULL CHECK (orders >= 0),
    watch_ms    bigint  NOT NULL CHECK (watch_ms >= 0),
    PRIMARY KEY (kind, id)
) WITH (fillfactor = 80);

-- What a signed-in viewer made of each category.
CREATE TABLE traffic.affinity (
    person_id   bigint NOT NULL,
    category_id bigint NOT NULL,
    impressions bigint NOT NULL CHECK (impressions >= 0),
    clicks      bigint NOT NULL CHECK (clicks >= 0),
    orders      bigint NOT NULL CHECK (orders >= 0),
    PRIMARY KEY (person_id, category_id)
) WITH (fillfactor = 80);

-- Counts that the leader has not yet saved with its state: of each host the columns of traffic/counts.py, one after
-- another.
CREATE TABLE traffic.delta (
    id       uuid PRIMARY KEY,
    made_at  timestamptz NOT NULL,
    host_nos integer[] NOT NULL,
    counts   bigint[] NOT NULL,
    CONSTRAINT delta_lengths CHECK (cardinality(counts) % greatest(cardinality(host_nos), 1) = 0)
);
CREATE INDEX delta_by_time ON traffic.delta (made_at, id);

-- Who makes prices: one server at a time, as long as it says so. By the database's own clock.
CREATE TABLE traffic.leader (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    holder uuid,
    until  timestamptz NOT NULL,
    term   bigint NOT NULL CHECK (term >= 0)
);
INSERT INTO traffic.leader (holder, until, term) VALUES (NULL, '2000-01-01 00:00:00+00', 0);

-- What the leader knows, to go on from, and the prices that all serve by. bytea: what traffic/state.py makes of them.
CREATE TABLE traffic.state (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    saved_at timestamptz NOT NULL,
    body     bytea NOT NULL
);
CREATE TABLE traffic.price (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint NOT NULL,
    term    bigint NOT NULL,
    made_at timestamptz NOT NULL,
    body    bytea NOT NULL
);

-- How new hosts came through their stages. decision: what traffic/stages.py decided, with its figures.
CREATE TABLE traffic.stage_end (
    host_no  integer NOT NULL,
    ended_at timestamptz NOT NULL,
    stage    text NOT NULL,
    decision jsonb NOT NULL,
    PRIMARY KEY (host_no, stage)
);

-- Some requests with everything that could have been shown, to see what another policy would have shown.
CREATE TABLE traffic.sampled_feed (
    feed_id        uuid PRIMARY KEY,
    served_at      timestamptz NOT NULL,
    policy_version integer NOT NULL,
    price_version  bigint NOT NULL,
    body           bytea NOT NULL
);
CREATE INDEX sampled_feed_by_time ON traffic.sampled_feed (served_at);
