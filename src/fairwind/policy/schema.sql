-- version 1

-- Service fees 技术服务费: all rates of a time, published as one schedule and never edited. In force is the highest
-- version that has begun, so that a new version takes the place of all before it from its start on, also of those that
-- are yet to begin. Small and read with every batch of orders: reference tables.
-- reference policy.schedule
CREATE TABLE policy.schedule (
    version      integer PRIMARY KEY CHECK (version >= 1),
    request_id   uuid UNIQUE,
    starts_at    timestamptz NOT NULL,
    note         text NOT NULL CHECK (char_length(note) <= 500),
    published_by bigint,
    published_at timestamptz NOT NULL,
    -- What was in force at a time never changes afterwards.
    CONSTRAINT schedule_not_backdated CHECK (starts_at >= published_at)
);

-- What a schedule asks of shops of a channel and an age (in days, the second bound excluded), for goods of a category
-- or, with NULL, of any. Lines of orders name it, so its id means the same for ever.
-- reference policy.fee_rule
CREATE TABLE policy.fee_rule (
    id             bigint PRIMARY KEY,
    version        integer NOT NULL,
    channel        text NOT NULL CHECK (channel IN ('own', 'youzan', 'mokuai', 'supplier')),
    category_id    bigint,
    age_from_days  integer NOT NULL DEFAULT 0 CHECK (age_from_days >= 0),
    age_until_days integer CHECK (age_until_days > age_from_days),
    -- At most a tenth: with commissions, which take nine tenths at most, no sale comes to more than itself.
    rate_ppm       integer NOT NULL CHECK (rate_ppm BETWEEN 0 AND 100000),
    CONSTRAINT fee_rule_once UNIQUE NULLS NOT DISTINCT (version, channel, category_id, age_from_days)
);

-- Support programmes 商家扶持: a lower rate for some shops in a time, under conditions that are data. Of one code each
-- version has its own time. Never edited but for an earlier end; a line of an order may name it as its rule.
-- reference policy.programme
CREATE TABLE policy.programme (
    id           bigint PRIMARY KEY,
    request_id   uuid UNIQUE,
    code         text COLLATE "C" NOT NULL CHECK (code ~ '^[a-z][a-z0-9-]{1,39}$'),
    version      integer NOT NULL CHECK (version >= 1),
    name_en      text NOT NULL CHECK (name_en <> ''),
    name_zh      text NOT NULL CHECK (name_zh <> ''),
    rate_ppm     integer NOT NULL CHECK (rate_ppm BETWEEN 0 AND 100000),
    channels     text[] NOT NULL CHECK (channels <@ '{own,youzan,mokuai,supplier}' AND channels <> '{}'),
    categories   bigint[] NOT NULL,
    conditions   jsonb NOT NULL,
    starts_at    timestamptz NOT NULL,
    ends_at      timestamptz,
    published_by bigint,
    published_at timestamptz NOT NULL,
    ended_by     bigint,
    CONSTRAINT programme_version UNIQUE (code, version),
    CONSTRAINT programme_not_backdated CHECK (starts_at >= published_at),
    CONSTRAINT programme_period CHECK (ends_at >= starts_at),
    CONSTRAINT programme_kind CHECK (conditions ->> 'kind' IN
        ('new_merchant', 'content_incentive', 'growth_tier', 'category_support')),
    CONSTRAINT programme_categories CHECK (conditions ->> 'kind' <> 'category_support' OR categories <> '{}')
);

-- How long after receipt goods of a category may come back; NULL: as the platform's setting says. In force is the
-- highest version that has begun.
-- reference policy.after_sales_window
CREATE TABLE policy.after_sales_window (
    category_id bigint NOT NULL,
    version     integer NOT NULL CHECK (version >= 1),
    window_s    integer CHECK (window_s BETWEEN 0 AND 31536000),
    starts_at   timestamptz NOT NULL,
    set_by      bigint NOT NULL,
    set_at      timestamptz NOT NULL,
    PRIMARY KEY (category_id, version),
    CONSTRAINT window_not_backdated CHECK (starts_at >= set_at)
);

-- That a shop has earned a programme for a time, and by what: measured (fen paid, or live sessions that sold) from one
-- day to another, both included. It ends early when refunds have undone that.
-- distribute policy.enrolment by shop_id
CREATE TABLE policy.enrolment (
    shop_id       bigint NOT NULL,
    programme_id  bigint NOT NULL,
    starts_at     timestamptz NOT NULL,
    ends_at       timestamptz NOT NULL,
    measured      bigint NOT NULL CHECK (measured >= 0),
    measured_from date NOT NULL,
    measured_to   date NOT NULL,
    enrolled_at   timestamptz NOT NULL,
    PRIMARY KEY (shop_id, programme_id, starts_at),
    CONSTRAINT enrolment_period CHECK (enrolled_at <= starts_at AND starts_at < ends_at),
    CONSTRAINT enrolment_measured CHECK (measured_from <= measured_to)
);

-- The price of goods that were paid for in a shop on a day in China, subsidies included, and what of that refunds have
-- undone since. Either may be told of first.
-- distribute policy.turnover by shop_id
CREATE TABLE policy.turnover (
    shop_id    bigint NOT NULL,
    day        date NOT NULL,
    paid_fen   bigint NOT NULL CHECK (paid_fen >= 0),
    undone_fen bigint NOT NULL CHECK (undone_fen >= 0),
    orders     bigint NOT NULL CHECK (orders >= 0),
    PRIMARY KEY (shop_id, day)
);

-- Live sessions that sold goods of a shop, the last day on which each did, how many pieces, and how many of these
-- refunds have undone.
-- distribute policy.live_sale by shop_id
CREATE TABLE policy.live_sale (
    shop_id         bigint NOT NULL,
    live_session_id uuid NOT NULL,
    last_sold_on    date NOT NULL,
    sold            bigint NOT NULL CHECK (sold >= 0),
    undone          bigint NOT NULL CHECK (undone >= 0),
    PRIMARY KEY (shop_id, live_session_id)
);

-- When to look again at what a shop has earned.
-- distribute policy.assessment by shop_id
CREATE TABLE policy.assessment (
    shop_id bigint PRIMARY KEY,
    due_at  timestamptz NOT NULL
);
CREATE INDEX assessment_due ON policy.assessment (due_at);

-- The rates of June 2020, in force since the day on which four policies for merchants began: 2 % for own shops, 8 %
-- through either ISV, and as low as 1 % for new merchants. What was not told is assumed: suppliers pay as own shops do;
-- 90 days are new; what earns the other supports, and that each comes to 1.5 %. The fourth, category support 类目扶持,
-- names categories, so that an operator publishes it. Ids below 1001 are never drawn.
INSERT INTO policy.schedule (version, starts_at, note, published_at) VALUES
    (1, '2020-06-01 00:00+08', 'The rates of June 2020; those of suppliers are assumed to be those of own shops.',
     '2020-06-01 00:00+08');
INSERT INTO policy.fee_rule (id, version, channel, rate_ppm) VALUES
    (1, 1, 'own', 20000), (2, 1, 'youzan', 80000), (3, 1, 'mokuai', 80000), (4, 1, 'supplier', 20000);
INSERT INTO policy.programme (id, code, version, name_en, name_zh, rate_ppm, channels, categories, conditions,
                              starts_at, published_at) VALUES
    (11, 'new-merchant', 1, 'new-merchant support', '新商家扶持', 10000, '{own}', '{}',
     '{"kind": "new_merchant", "first_days": 90}', '2020-06-01 00:00+08', '2020-06-01 00:00+08'),
    (12, 'content-incentive', 1, 'content incentive', '内容激励', 15000, '{own}', '{}',
     '{"kind": "content_incentive", "sessions_min": 8, "within_days": 30, "lasts_days": 30}',
     '2020-06-01 00:00+08', '2020-06-01 00:00+08'),
    (13, 'growth-tier', 1, 'growth tier', '成长激励', 15000, '{own}', '{}',
     '{"kind": "growth_tier", "paid_min_fen": 10000000, "within_days": 30, "lasts_days": 30}',
     '2020-06-01 00:00+08', '2020-06-01 00:00+08');

-- version 2

-- Subsidy campaigns 双百亿补贴: terms that never change once every funder has agreed. Few and read with every batch of
-- orders: reference tables. An empty list of ids means all.
-- reference policy.campaign
CREATE TABLE policy.campaign (
    id            bigint PRIMARY KEY,
    draft_id      uuid NOT NULL CONSTRAINT campaign_of_draft UNIQUE,
    name          text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 60),
    rate_ppm      integer CHECK (rate_ppm BETWEEN 1 AND 1000000),
    piece_fen     bigint CHECK (piece_fen > 0),
    piece_max_fen bigint CHECK (piece_max_fen > 0),
    order_max_fen bigint CHECK (order_max_fen > 0),
    buyer_max_fen bigint CHECK (buyer_max_fen > 0),
    guard_days    integer NOT NULL CHECK (guard_days BETWEEN 0 AND 365),
    shop_ids      bigint[] NOT NULL,
    category_ids  bigint[] NOT NULL,
    product_ids   bigint[] NOT NULL,
    starts_at     timestamptz NOT NULL,
    ends_at       timestamptz NOT NULL CHECK (ends_at > starts_at),
    state         text NOT NULL CHECK (state IN ('proposed', 'agreed', 'declined', 'stopped', 'ended')),
    proposed_by   bigint NOT NULL,
    proposed_at   timestamptz NOT NULL,
    agreed_at     timestamptz,
    closed_at     timestamptz,
    CONSTRAINT campaign_rule CHECK (num_nonnulls(rate_ppm, piece_fen) = 1),
    CONSTRAINT campaign_agreed CHECK (CASE state WHEN 'agreed' THEN agreed_at IS NOT NULL
        WHEN 'proposed' THEN agreed_at IS NULL WHEN 'declined' THEN agreed_at IS NULL ELSE true END),
    CONSTRAINT campaign_closed CHECK ((closed_at IS NOT NULL) = (state IN ('declined', 'stopped', 'ended')))
);
CREATE INDEX campaign_to_end ON policy.campaign (ends_at) WHERE state IN ('proposed', 'agreed');

-- Who pays which part of a campaign's subsidies: a shop or supplier by its shop's id, 0 for the platform. drawn_fen is
-- what shops have of the budget, and the CHECK is what makes overspending impossible, together with that of allotment.
-- reference policy.funding
CREATE TABLE policy.funding (
    campaign_id bigint NOT NULL,
    funder_id   bigint NOT NULL CHECK (funder_id >= 0),
    share_ppm   integer NOT NULL CHECK (share_ppm BETWEEN 1 AND 1000000),
    budget_fen  bigint NOT NULL CHECK (budget_fen > 0),
    drawn_fen   bigint NOT NULL DEFAULT 0,
    in_base     boolean NOT NULL,
    accepted_at timestamptz,
    accepted_by bigint,
    stopped_at  timestamptz,
    stopped_by  bigint,
    PRIMARY KEY (campaign_id, funder_id),
    CONSTRAINT funding_not_overdrawn CHECK (drawn_fen BETWEEN 0 AND budget_fen),
    CONSTRAINT funding_accepted CHECK ((accepted_at IS NULL) = (accepted_by IS NULL)),
    CONSTRAINT funding_stopped CHECK ((stopped_at IS NULL) = (stopped_by IS NULL))
);
CREATE INDEX funding_of_funder ON policy.funding (funder_id, campaign_id);

-- What a shop has drawn of a funding, and what of it orders have spent.
-- distribute policy.allotment by shop_id
CREATE TABLE policy.allotment (
    shop_id     bigint NOT NULL,
    campaign_id bigint NOT NULL,
    funder_id   bigint NOT NULL,
    drawn_fen   bigint NOT NULL,
    spent_fen   bigint NOT NULL,
    PRIMARY KEY (shop_id, campaign_id, funder_id),
    CONSTRAINT allotment_not_overspent CHECK (spent_fen BETWEEN 0 AND drawn_fen)
) WITH (fillfactor = 50);
CREATE INDEX allotment_of_campaign ON policy.allotment (campaign_id);

-- What a shop's orders have spent of a funding and given back, by the minute.
-- distribute policy.burn_down by shop_id
CREATE TABLE policy.burn_down (
    shop_id        bigint NOT NULL,
    campaign_id    bigint NOT NULL,
    funder_id      bigint NOT NULL,
    minute         timestamptz NOT NULL,
    spent_fen      bigint NOT NULL CHECK (spent_fen >= 0),
    given_back_fen bigint NOT NULL CHECK (given_back_fen >= 0),
    PRIMARY KEY (shop_id, campaign_id, funder_id, minute)
) WITH (fillfactor = 50);
CREATE INDEX burn_down_of_campaign ON policy.burn_down (campaign_id, minute);

-- What a buyer has got of a campaign that has a cap for each buyer, over all shops: by buyer, so that one campaign's
-- buyers lie on all machines. cap_fen is the campaign's own, for the CHECK.
-- distribute policy.buyer_cap by buyer_id
CREATE TABLE policy.buyer_cap (
    buyer_id     bigint NOT NULL,
    campaign_id  bigint NOT NULL,
    cap_fen      bigint NOT NULL,
    received_fen bigint NOT NULL,
    PRIMARY KEY (buyer_id, campaign_id),
    CONSTRAINT buyer_cap_kept CHECK (received_fen BETWEEN 0 AND cap_fen)
) WITH (fillfactor = 50);

-- version 3

-- Citus wants foreign keys added after distribution, hence a step of their own.
ALTER TABLE policy.fee_rule
    ADD CONSTRAINT fee_rule_schedule FOREIGN KEY (version) REFERENCES policy.schedule (version);
ALTER TABLE policy.enrolment
    ADD CONSTRAINT enrolment_programme FOREIGN KEY (programme_id) REFERENCES policy.programme (id);
ALTER TABLE policy.funding
    ADD CONSTRAINT funding_campaign FOREIGN KEY (campaign_id) REFERENCES policy.campaign (id);
ALTER TABLE policy.allotment
    ADD CONSTRAINT allotment_funding FOREIGN KEY (campaign_id, funder_id)
        REFERENCES policy.funding (campaign_id, funder_id);
ALTER TABLE policy.burn_down
    ADD CONSTRAINT burn_down_allotment FOREIGN KEY (shop_id, campaign_id, funder_id)
        REFERENCES policy.allotment (shop_id, campaign_id, funder_id);
