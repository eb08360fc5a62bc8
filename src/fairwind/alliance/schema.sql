-- version 1

-- What an agency recruits goods for: shops join products to it on at least these terms. Agencies' own and few: it stays
-- on the coordinator.
CREATE TABLE alliance.activity (
    id              uuid PRIMARY KEY,
    agency_id       bigint NOT NULL,
    title           text   NOT NULL CHECK (char_length(title) BETWEEN 1 AND 60),
    creator_ppm_min bigint NOT NULL CHECK (creator_ppm_min BETWEEN 0 AND 500000),
    agency_ppm_min  bigint NOT NULL CHECK (agency_ppm_min BETWEEN 0 AND 400000),
    created_at      timestamptz NOT NULL,
    closed_at       timestamptz CHECK (closed_at >= created_at)
);
CREATE INDEX activity_by_age ON alliance.activity (created_at, id);
CREATE INDEX activity_of_agency ON alliance.activity (agency_id, created_at, id);

-- A promise of a product's shop to creators. creator_id: the one creator of an exclusive plan. ends_at: since when it
-- has ended or will have, from its last version, so that what is over need not be looked through.
-- distribute alliance.plan by shop_id
CREATE TABLE alliance.plan (
    shop_id     bigint NOT NULL,
    id          bigint NOT NULL,
    product_id  bigint NOT NULL,
    kind        text   NOT NULL CHECK (kind IN ('ordinary', 'targeted', 'exclusive', 'activity')),
    creator_id  bigint,
    activity_id uuid,
    agency_id   bigint,
    made_at     timestamptz NOT NULL,
    ends_at     timestamptz CHECK (ends_at >= made_at),
    PRIMARY KEY (shop_id, id),
    CONSTRAINT plan_creator CHECK ((creator_id IS NOT NULL) = (kind = 'exclusive')),
    CONSTRAINT plan_activity CHECK ((activity_id IS NOT NULL) = (kind = 'activity')
                                    AND (activity_id IS NULL) = (agency_id IS NULL))
);
CREATE UNIQUE INDEX plan_live ON alliance.plan (shop_id, product_id, kind, coalesce(agency_id, 0))
    WHERE ends_at IS NULL;
CREATE INDEX plan_of_product ON alliance.plan (shop_id, product_id, id);
CREATE INDEX plan_of_activity ON alliance.plan (activity_id) WHERE activity_id IS NOT NULL;

-- What a plan promises from effective_from on, until the next version that was not superseded; never edited, only
-- marked. creator_ppm is NULL in the version that ends the plan. step_from, step_ppm: from so many pieces or fen that a
-- creator sold under the plan, this rate instead. A version without cut takes effect when it is published, an exclusive
-- plan's first one excepted.
-- distribute alliance.plan_version by shop_id
CREATE TABLE alliance.plan_version (
    shop_id        bigint  NOT NULL,
    plan_id        bigint  NOT NULL,
    version        integer NOT NULL CHECK (version >= 1),
    creator_ppm    bigint CHECK (creator_ppm BETWEEN 0 AND 800000),
    agency_ppm     bigint  NOT NULL CHECK (agency_ppm BETWEEN 0 AND 400000),
    steps_by       text CHECK (steps_by IN ('quantity', 'gmv')),
    step_from      bigint[] NOT NULL,
    step_ppm       bigint[] NOT NULL,
    cut            boolean NOT NULL,
    published_by   bigint  NOT NULL,
    published_at   timestamptz NOT NULL,
    effective_from timestamptz NOT NULL,
    superseded_at  timestamptz,
    PRIMARY KEY (shop_id, plan_id, version),
    CONSTRAINT plan_version_in_time CHECK (published_at <= effective_from
                                           AND published_at <= superseded_at AND superseded_at <= effective_from),
    CONSTRAINT plan_version_total CHECK (creator_ppm + agency_ppm <= 900000),
    CONSTRAINT plan_version_steps CHECK (cardinality(step_from) = cardinality(step_ppm)
                                         AND (steps_by IS NULL) = (cardinality(step_from) = 0))
);

-- Who may earn by a targeted plan, or asks to. They do from `since` until `until`.
-- distribute alliance.participant by shop_id
CREATE TABLE alliance.participant (
    shop_id    bigint NOT NULL,
    plan_id    bigint NOT NULL,
    creator_id bigint NOT NULL,
    state      text   NOT NULL CHECK (state IN ('applied', 'approved', 'declined', 'removed')),
    note       text   NOT NULL CHECK (char_length(note) <= 200),
    asked_at   timestamptz NOT NULL,
    decided_at timestamptz,
    since      timestamptz,
    until      timestamptz CHECK (until >= since),
    PRIMARY KEY (shop_id, plan_id, creator_id),
    CONSTRAINT participant_decided CHECK ((decided_at IS NULL) = (state = 'applied')),
    CONSTRAINT participant_in_time CHECK (CASE state WHEN 'approved' THEN since IS NOT NULL AND until IS NULL
                                                     WHEN 'removed' THEN until IS NOT NULL ELSE true END)
);
CREATE INDEX participant_of_creator ON alliance.participant (creator_id, asked_at, shop_id, plan_id);

-- What a creator has sold under a plan, paid for and not undone by refunds: steps look at it. A refund may be counted
-- before the sale that it undoes, so it may be below zero until then; that is read as nothing.
-- distribute alliance.progress by shop_id
CREATE TABLE alliance.progress (
    shop_id    bigint NOT NULL,
    plan_id    bigint NOT NULL,
    creator_id bigint NOT NULL,
    quantity   bigint NOT NULL,
    gmv_fen    bigint NOT NULL,
    PRIMARY KEY (shop_id, plan_id, creator_id)
) WITH (fillfactor = 50);

-- A product as creators find it. Its row is also what the commands on a product's plans lock. public_ppm: the best rate
-- that any creator may have, NULL while there is none; worked out at refreshed_at, and anew at next_change_at.
-- distribute alliance.pool_item by shop_id
CREATE TABLE alliance.pool_item (
    shop_id           bigint NOT NULL,
    product_id        bigint NOT NULL,
    public_ppm        bigint CHECK (public_ppm BETWEEN 0 AND 800000),
    sold_quantity     bigint NOT NULL DEFAULT 0 CHECK (sold_quantity >= 0),
    returned_quantity bigint NOT NULL DEFAULT 0 CHECK (returned_quantity >= 0),
    sold_fen          bigint NOT NULL DEFAULT 0 CHECK (sold_fen >= 0),
    refunded_fen      bigint NOT NULL DEFAULT 0 CHECK (refunded_fen >= 0),
    return_rate_ppm   bigint NOT NULL GENERATED ALWAYS AS
        (CASE WHEN sold_quantity = 0 THEN 0 ELSE least(returned_quantity * 1000000 / sold_quantity, 1000000) END) STORED,
    refreshed_at      timestamptz,
    next_change_at    timestamptz,
    PRIMARY KEY (shop_id, product_id)
) WITH (fillfactor = 50);
CREATE INDEX pool_item_by_rate ON alliance.pool_item (public_ppm, shop_id, product_id) WHERE public_ppm IS NOT NULL;
CREATE INDEX pool_item_by_sales ON alliance.pool_item (sold_quantity, shop_id, product_id) WHERE public_ppm IS NOT NULL;
CREATE INDEX pool_item_by_returns ON alliance.pool_item (return_rate_ppm, shop_id, product_id)
    WHERE public_ppm IS NOT NULL;
CREATE INDEX pool_item_to_refresh ON alliance.pool_item (next_change_at) WHERE next_change_at IS NOT NULL;

-- That a creator shows a product. activity_id: through which activity, if any. What was dropped stays, and counts no more.
-- distribute alliance.pick by shop_id
CREATE TABLE alliance.pick (
    shop_id     bigint  NOT NULL,
    creator_id  bigint  NOT NULL,
    product_id  bigint  NOT NULL,
    activity_id uuid,
    position    integer NOT NULL CHECK (position >= 0),
    note        text    NOT NULL CHECK (char_length(note) <= 200),
    picked_at   timestamptz NOT NULL,
    dropped_at  timestamptz CHECK (dropped_at >= picked_at),
    PRIMARY KEY (shop_id, creator_id, product_id)
);
CREATE INDEX pick_on_shelf ON alliance.pick (creator_id, position, picked_at, shop_id, product_id)
    WHERE dropped_at IS NULL;

-- That a creator belongs, or is asked to, to an agency that looks after creators. split_ppm: its part of what they earn
-- net, from starts_at until ends_at. Wanted by every shop's orders, hence everywhere.
-- reference alliance.mcn_member
CREATE TABLE alliance.mcn_member (
    id          bigint PRIMARY KEY,
    agency_id   bigint NOT NULL,
    creator_id  bigint NOT NULL,
    split_ppm   bigint NOT NULL CHECK (split_ppm BETWEEN 0 AND 1000000),
    invited_at  timestamptz NOT NULL,
    accepted_at timestamptz CHECK (accepted_at >= invited_at),
    starts_at   timestamptz CHECK (starts_at > accepted_at),
    ends_at     timestamptz,
    CONSTRAINT mcn_member_started CHECK ((starts_at IS NULL) = (accepted_at IS NULL)),
    CONSTRAINT mcn_member_ended CHECK (ends_at >= coalesce(starts_at, invited_at))
);
CREATE UNIQUE INDEX mcn_member_invited ON alliance.mcn_member (agency_id, creator_id)
    WHERE accepted_at IS NULL AND ends_at IS NULL;
CREATE UNIQUE INDEX mcn_member_one ON alliance.mcn_member (creator_id)
    WHERE accepted_at IS NOT NULL AND ends_at IS NULL;
CREATE INDEX mcn_member_of_creator ON alliance.mcn_member (creator_id, id);
CREATE INDEX mcn_member_of_agency ON alliance.mcn_member (agency_id, id);

-- Stock kept for creators outside the head: kept_quantity in all, of which sold_quantity has been held or sold. over: the
-- product has no plan any more, so that nothing is kept; what was sold of it may still come back.
-- distribute alliance.reserve by shop_id
CREATE TABLE alliance.reserve (
    shop_id       bigint NOT NULL,
    sku_id        bigint NOT NULL,
    product_id    bigint NOT NULL,
    kept_quantity bigint NOT NULL,
    sold_quantity bigint NOT NULL DEFAULT 0,
    over          boolean NOT NULL DEFAULT false,
    PRIMARY KEY (shop_id, sku_id),
    CONSTRAINT reserve_within CHECK (0 <= sold_quantity AND sold_quantity <= kept_quantity)
) WITH (fillfactor = 50);
CREATE INDEX reserve_of_product ON alliance.reserve (shop_id, product_id) WHERE NOT over;

-- What a creator has sold for a shop by plans of the alliance that was paid on a day in China and not undone by refunds,
-- on whatever day those were. May be below zero as progress may.
-- distribute alliance.creator_day by shop_id
CREATE TABLE alliance.creator_day (
    shop_id    bigint NOT NULL,
    creator_id bigint NOT NULL,
    day        date   NOT NULL,
    quantity   bigint NOT NULL,
    gmv_fen    bigint NOT NULL,
    PRIMARY KEY (shop_id, creator_id, day)
) WITH (fillfactor = 50);
CREATE INDEX creator_day_by_day ON alliance.creator_day (day);

-- The creators who sold most of late, as a sweep found them. Wanted by every shop's orders, hence everywhere.
-- reference alliance.head
CREATE TABLE alliance.head (
    creator_id bigint PRIMARY KEY,
    rank       integer NOT NULL CHECK (rank >= 1),
    gmv_fen    bigint  NOT NULL CHECK (gmv_fen >= 0),
    since      timestamptz NOT NULL
);

-- The platform's share of commissions from effective_from on. Wanted by every shop's orders, hence everywhere.
-- reference alliance.fee
CREATE TABLE alliance.fee (
    version        integer PRIMARY KEY CHECK (version >= 1),
    rate_ppm       bigint NOT NULL CHECK (rate_ppm BETWEEN 0 AND 1000000),
    set_by         bigint,
    set_at         timestamptz NOT NULL,
    effective_from timestamptz NOT NULL CHECK (effective_from >= set_at)
);
INSERT INTO alliance.fee (version, rate_ppm, set_by, set_at, effective_from)
VALUES (1, 100000, NULL, '2000-01-01 00:00:00+00', '2000-01-01 00:00:00+00');

-- version 2

-- Where creators spread goods outside. Promotions and links belong to creators and are unique over the platform: they
-- stay on the coordinator.
CREATE TABLE alliance.promotion (
    id         bigint PRIMARY KEY,
    creator_id bigint NOT NULL,
    name       text COLLATE "C" NOT NULL CHECK (char_length(name) BETWEEN 1 AND 60),
    outlet     text   NOT NULL CHECK (outlet IN ('wechat', 'weibo', 'qq', 'douyin', 'xiaohongshu', 'web', 'other')),
    created_at timestamptz NOT NULL,
    CONSTRAINT promotion_name UNIQUE (creator_id, outlet, name)
);

-- A short link: `/l/{code}`. Its terms never change, only ends_at. product_id is NULL for a link to a whole shop.
CREATE TABLE alliance.link (
    code         text COLLATE "C" PRIMARY KEY CHECK (code ~ '^[A-Za-z0-9_-]{8,32}$'),
    creator_id   bigint  NOT NULL,
    promotion_id bigint  NOT NULL REFERENCES alliance.promotion,
    shop_id      bigint  NOT NULL,
    product_id   bigint,
    window_s     integer NOT NULL CHECK (window_s IN (86400, 604800, 1296000, 2592000)),
    model        text    NOT NULL CHECK (model IN ('last', 'first')),
    created_at   timestamptz NOT NULL,
    ends_at      timestamptz CHECK (ends_at >= created_at)
);
CREATE INDEX link_of_promotion ON alliance.link (promotion_id, shop_id, product_id);
CREATE INDEX link_of_creator ON alliance.link (creator_id, created_at, code);

-- Each following of a link, with the link's terms of that moment: orders copy it as evidence. Old ones are dropped.
-- distribute alliance.click by shop_id
CREATE TABLE alliance.click (
    shop_id      bigint  NOT NULL,
    id           uuid    NOT NULL,
    link_code    text COLLATE "C" NOT NULL,
    promotion_id bigint  NOT NULL,
    creator_id   bigint  NOT NULL,
    product_id   bigint,
    person_id    bigint,
    clicked_at   timestamptz NOT NULL,
    window_s     integer NOT NULL CHECK (window_s > 0),
    model        text    NOT NULL CHECK (model IN ('last', 'first')),
    PRIMARY KEY (shop_id, id)
);
CREATE INDEX click_by_age ON alliance.click (clicked_at);

-- What came of a link on a day in China: one update per batch of clicks, however many people follow it at once.
-- distribute alliance.link_day by shop_id
CREATE TABLE alliance.link_day (
    shop_id      bigint NOT NULL,
    link_code    text COLLATE "C" NOT NULL,
    day          date   NOT NULL,
    promotion_id bigint NOT NULL,
    clicks       bigint NOT NULL DEFAULT 0 CHECK (clicks >= 0),
    orders       bigint NOT NULL DEFAULT 0 CHECK (orders >= 0),
    PRIMARY KEY (shop_id, link_code, day)
) WITH (fillfactor = 50);
CREATE INDEX link_day_of_promotion ON alliance.link_day (promotion_id, day);

-- How many samples of a product its shop gives, in all and to one creator. given_quantity counts those agreed to.
-- distribute alliance.sample_offer by shop_id
CREATE TABLE alliance.sample_offer (
    shop_id         bigint  NOT NULL,
    product_id      bigint  NOT NULL,
    quantity        integer NOT NULL CHECK (quantity >= 0),
    per_creator_max integer NOT NULL CHECK (per_creator_max >= 1),
    given_quantity  integer NOT NULL DEFAULT 0 CHECK (given_quantity >= 0),
    PRIMARY KEY (shop_id, product_id)
);

-- A creator's request for a sample. show_by: until when it has to be shown, from receipt on.
-- distribute alliance.sample by shop_id
CREATE TABLE alliance.sample (
    shop_id         bigint NOT NULL,
    id              uuid   NOT NULL,
    product_id      bigint NOT NULL,
    creator_id      bigint NOT NULL,
    state           text   NOT NULL CHECK (state IN ('requested', 'approved', 'declined', 'withdrawn', 'shipped',
                                                     'received', 'shown', 'overdue')),
    address         jsonb  NOT NULL,
    note            text   NOT NULL CHECK (char_length(note) <= 200),
    message         text   NOT NULL DEFAULT '' CHECK (char_length(message) <= 200),
    carrier         text,
    tracking_number text,
    shown_at_url    text,
    requested_at    timestamptz NOT NULL,
    decided_at      timestamptz,
    shipped_at      timestamptz,
    received_at     timestamptz,
    show_by         timestamptz,
    closed_at       timestamptz,
    PRIMARY KEY (shop_id, id),
    CONSTRAINT sample_decided CHECK ((decided_at IS NULL) = (state IN ('requested', 'withdrawn'))),
    CONSTRAINT sample_shipped CHECK ((shipped_at IS NOT NULL) = (state IN ('shipped', 'received', 'shown', 'overdue'))
                                     AND (shipped_at IS NULL) = (carrier IS NULL)
                                     AND (shipped_at IS NULL) = (tracking_number IS NULL)),
    CONSTRAINT sample_received CHECK ((received_at IS NOT NULL) = (state IN ('received', 'shown', 'overdue'))
                                      AND (received_at IS NULL) = (show_by IS NULL)),
    CONSTRAINT sample_closed CHECK ((closed_at IS NOT NULL) = (state IN ('declined', 'withdrawn', 'shown', 'overdue'))),
    CONSTRAINT sample_shown CHECK ((shown_at_url IS NOT NULL) = (state = 'shown'))
);
CREATE INDEX sample_of_product ON alliance.sample (shop_id, product_id, creator_id);
CREATE INDEX sample_by_age ON alliance.sample (shop_id, requested_at, id);
CREATE INDEX sample_of_creator ON alliance.sample (creator_id, requested_at, id);
CREATE INDEX sample_to_show ON alliance.sample (show_by) WHERE state = 'received';

-- What a product has to meet to stand in the quality pool: each version holds until the next.
-- reference alliance.quality_criteria
CREATE TABLE alliance.quality_criteria (
    version                integer PRIMARY KEY CHECK (version >= 1),
    rating_min_centistars  integer NOT NULL CHECK (rating_min_centistars BETWEEN 0 AND 500),
    ratings_min            integer NOT NULL CHECK (ratings_min >= 0),
    return_rate_max_ppm    integer NOT NULL CHECK (return_rate_max_ppm BETWEEN 0 AND 1000000),
    sold_min_quantity      bigint  NOT NULL CHECK (sold_min_quantity >= 0),
    stock_min_quantity     bigint  NOT NULL CHECK (stock_min_quantity >= 0),
    price_days             integer NOT NULL CHECK (price_days BETWEEN 0 AND 365),
    price_rise_max_ppm     integer NOT NULL CHECK (price_rise_max_ppm BETWEEN 0 AND 1000000),
    set_by                 bigint,
    set_at                 timestamptz NOT NULL
);
INSERT INTO alliance.quality_criteria VALUES (1, 450, 10, 100000, 20, 20, 30, 0, NULL, '2000-01-01 00:00:00+00');

-- A product's way into the quality pool and out of it: the shop's nomination is its approval, decided_by the platform's.
-- faults: what it did not meet when it left by itself, as quality.Fault; else left_by says who took it out. Rows stay:
-- they are the history.
-- distribute alliance.nomination by shop_id
CREATE TABLE alliance.nomination (
    shop_id          bigint NOT NULL,
    id               uuid   NOT NULL,
    product_id       bigint NOT NULL,
    state            text   NOT NULL CHECK (state IN ('nominated', 'member', 'declined', 'withdrawn', 'removed')),
    nominated_by     bigint NOT NULL,
    nominated_at     timestamptz NOT NULL,
    decided_by       bigint,
    decided_at       timestamptz,
    criteria_version integer,
    message          text   NOT NULL DEFAULT '' CHECK (char_length(message) <= 200),
    faults           jsonb,
    left_at          timestamptz,
    left_by          bigint,
    PRIMARY KEY (shop_id, id),
    CONSTRAINT nomination_decided CHECK ((decided_at IS NULL) = (decided_by IS NULL)
                                         AND (decided_at IS NOT NULL OR state IN ('nominated', 'withdrawn'))
                                         AND (decided_at IS NULL OR state <> 'nominated')),
    CONSTRAINT nomination_entered CHECK ((criteria_version IS NOT NULL OR state NOT IN ('member', 'removed'))
                                         AND (criteria_version IS NULL OR state IN ('member', 'withdrawn', 'removed'))),
    CONSTRAINT nomination_left CHECK ((left_at IS NOT NULL) = (state IN ('withdrawn', 'removed'))),
    CONSTRAINT nomination_left_by CHECK (CASE state WHEN 'removed' THEN (left_by IS NULL) = (faults IS NOT NULL)
                                                    WHEN 'withdrawn' THEN left_by IS NOT NULL AND faults IS NULL
                                                    ELSE left_by IS NULL AND faults IS NULL END)
);
CREATE UNIQUE INDEX nomination_of_product ON alliance.nomination (shop_id, product_id)
    WHERE state IN ('nominated', 'member');
CREATE INDEX nomination_history ON alliance.nomination (shop_id, product_id, nominated_at, id);
CREATE INDEX nomination_by_age ON alliance.nomination (nominated_at, id);
CREATE INDEX nomination_members ON alliance.nomination (decided_at, id) WHERE state = 'member';

-- What a buyer says of a line that was received.
-- distribute alliance.rating by shop_id
CREATE TABLE alliance.rating (
    shop_id    bigint   NOT NULL,
    order_id   uuid     NOT NULL,
    line_no    smallint NOT NULL CHECK (line_no >= 1),
    product_id bigint   NOT NULL,
    buyer_id   bigint   NOT NULL,
    stars      smallint NOT NULL CHECK (stars BETWEEN 1 AND 5),
    text       text     NOT NULL CHECK (char_length(text) <= 500),
    rated_at   timestamptz NOT NULL,
    changed_at timestamptz CHECK (changed_at >= rated_at),
    PRIMARY KEY (shop_id, order_id, line_no)
);
CREATE INDEX rating_of_product ON alliance.rating (shop_id, product_id, rated_at, order_id, line_no);

-- A product's ratings added up, so that nobody counts them anew.
-- distribute alliance.product_rating by shop_id
CREATE TABLE alliance.product_rating (
    shop_id    bigint NOT NULL,
    product_id bigint NOT NULL,
    ratings    bigint NOT NULL DEFAULT 0 CHECK (ratings >= 0),
    stars      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (shop_id, product_id),
    CONSTRAINT product_rating_range CHECK (stars BETWEEN ratings AND 5 * ratings)
) WITH (fillfactor = 50);

-- version 3

-- Citus wants foreign keys between distributed tables added after distribution, hence a step of their own.
ALTER TABLE alliance.sample
    ADD CONSTRAINT sample_of_offer FOREIGN KEY (shop_id, product_id)
        REFERENCES alliance.sample_offer (shop_id, product_id);
ALTER TABLE alliance.nomination
    ADD CONSTRAINT nomination_criteria FOREIGN KEY (criteria_version) REFERENCES alliance.quality_criteria (version);
ALTER TABLE alliance.plan_version
    ADD CONSTRAINT plan_version_plan FOREIGN KEY (shop_id, plan_id) REFERENCES alliance.plan (shop_id, id);
ALTER TABLE alliance.participant
    ADD CONSTRAINT participant_plan FOREIGN KEY (shop_id, plan_id) REFERENCES alliance.plan (shop_id, id);
ALTER TABLE alliance.progress
    ADD CONSTRAINT progress_plan FOREIGN KEY (shop_id, plan_id) REFERENCES alliance.plan (shop_id, id);
