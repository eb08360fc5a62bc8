-- version 1

-- The platform's category tree: small, shared by all shops, two levels deep. A child's parent is of depth 1, which the
-- foreign key over the generated column holds it to.
-- reference catalog.category
CREATE TABLE catalog.category (
    id           bigint PRIMARY KEY,
    depth        smallint NOT NULL CHECK (depth IN (1, 2)),
    parent_id    bigint,
    parent_depth smallint NOT NULL GENERATED ALWAYS AS (depth - 1) STORED,
    name         text COLLATE "C" NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    CHECK ((depth = 1) = (parent_id IS NULL)),
    UNIQUE (id, depth),
    CONSTRAINT category_name UNIQUE NULLS NOT DISTINCT (parent_id, name),
    CONSTRAINT category_parent FOREIGN KEY (parent_id, parent_depth) REFERENCES catalog.category (id, depth)
);

-- distribute catalog.shop by shop_id
CREATE TABLE catalog.shop (
    shop_id    bigint PRIMARY KEY,
    name       text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 60),
    channel    text NOT NULL CHECK (channel IN ('own', 'youzan', 'mokuai', 'supplier')),
    state      text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    opened_on  date NOT NULL,
    created_at timestamptz NOT NULL
);

-- Requests to open a shop, by the client's id: asked again, the same request finds the shop that it opened.
-- distribute catalog.opening by id
CREATE TABLE catalog.opening (
    id        uuid PRIMARY KEY,
    person_id bigint NOT NULL,
    name      text NOT NULL,
    channel   text NOT NULL,
    shop_id   bigint NOT NULL
);

-- What a shop offers. price_fen is the lowest price among its SKUs on the shelf, NULL when there is none: kept here so
-- that a search sorts by price through an index.
-- distribute catalog.product by shop_id
CREATE TABLE catalog.product (
    shop_id     bigint NOT NULL,
    id          bigint NOT NULL,
    code        text COLLATE "C" NOT NULL CHECK (char_length(code) BETWEEN 1 AND 255),
    title       text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 255),
    brief       text NOT NULL CHECK (char_length(brief) <= 1000),
    brand       text NOT NULL CHECK (char_length(brand) <= 100),
    unit        text NOT NULL CHECK (char_length(unit) <= 20),
    category_id bigint,
    on_shelf    boolean NOT NULL,
    price_fen   bigint CHECK (price_fen BETWEEN 1 AND 10000000000),
    sold        bigint NOT NULL DEFAULT 0 CHECK (sold >= 0),
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL CHECK (updated_at >= created_at),
    PRIMARY KEY (shop_id, id),
    CONSTRAINT product_code UNIQUE (shop_id, code)
);
CREATE INDEX product_by_sold ON catalog.product (sold, shop_id, id) WHERE on_shelf AND price_fen IS NOT NULL;
CREATE INDEX product_by_price ON catalog.product (price_fen, shop_id, id) WHERE on_shelf AND price_fen IS NOT NULL;
CREATE INDEX product_by_age ON catalog.product (created_at, shop_id, id) WHERE on_shelf AND price_fen IS NOT NULL;
CREATE INDEX product_by_category ON catalog.product (category_id);

-- What a search looks through, apart from the product because its index is dear to write and sales change the product
-- all day. Derived: text is what grams.searched makes of title and brand, grams what grams.grams makes of text.
-- distribute catalog.wording by shop_id
CREATE TABLE catalog.wording (
    shop_id    bigint NOT NULL,
    product_id bigint NOT NULL,
    text       text COLLATE "C" NOT NULL,
    grams      text[] COLLATE "C" NOT NULL,
    PRIMARY KEY (shop_id, product_id)
);
CREATE INDEX wording_grams ON catalog.wording USING gin (grams);

-- What is sold: one spec of a product. price_revision counts its prices, see price_change. in_stock is told by the
-- inventory when availability crosses zero.
-- distribute catalog.sku by shop_id
CREATE TABLE catalog.sku (
    shop_id        bigint NOT NULL,
    id             bigint NOT NULL,
    product_id     bigint NOT NULL,
    position       integer NOT NULL CHECK (position >= 1),
    spec           text COLLATE "C" NOT NULL CHECK (char_length(spec) BETWEEN 1 AND 255),
    price_fen      bigint NOT NULL CHECK (price_fen BETWEEN 1 AND 10000000000),
    list_price_fen bigint NOT NULL CHECK (list_price_fen BETWEEN 1 AND 10000000000),
    price_revision integer NOT NULL DEFAULT 1 CHECK (price_revision >= 1),
    on_shelf       boolean NOT NULL,
    in_stock       boolean NOT NULL DEFAULT false,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL CHECK (updated_at >= created_at),
    PRIMARY KEY (shop_id, id),
    CONSTRAINT sku_spec UNIQUE (shop_id, product_id, spec)
);

-- Every price a SKU has had, the present one included; never edited.
-- distribute catalog.price_change by shop_id
CREATE TABLE catalog.price_change (
    shop_id        bigint NOT NULL,
    sku_id         bigint NOT NULL,
    revision       integer NOT NULL CHECK (revision >= 1),
    price_fen      bigint NOT NULL CHECK (price_fen BETWEEN 1 AND 10000000000),
    list_price_fen bigint NOT NULL CHECK (list_price_fen BETWEEN 1 AND 10000000000),
    changed_at     timestamptz NOT NULL,
    PRIMARY KEY (shop_id, sku_id, revision)
);

-- What an import that is running has met so far: which line of the file named a product (spec '') or a SKU first, and
-- for a product a digest of what it said. Kept here rather than in memory, which must not grow with the file.
-- distribute catalog.import_key by shop_id
CREATE UNLOGGED TABLE catalog.import_key (
    shop_id    bigint NOT NULL,
    import_id  uuid NOT NULL,
    code       text COLLATE "C" NOT NULL,
    spec       text COLLATE "C" NOT NULL,
    line       bigint NOT NULL CHECK (line >= 1),
    digest     bytea,
    started_at timestamptz NOT NULL,
    PRIMARY KEY (shop_id, import_id, code, spec)
);

-- version 2

-- Citus wants foreign keys between distributed tables added after distribution, hence a step of their own.
ALTER TABLE catalog.product
    ADD CONSTRAINT product_shop FOREIGN KEY (shop_id) REFERENCES catalog.shop (shop_id),
    ADD CONSTRAINT product_category FOREIGN KEY (category_id) REFERENCES catalog.category (id);
ALTER TABLE catalog.wording
    ADD CONSTRAINT wording_product FOREIGN KEY (shop_id, product_id) REFERENCES catalog.product (shop_id, id);
ALTER TABLE catalog.sku
    ADD CONSTRAINT sku_product FOREIGN KEY (shop_id, product_id) REFERENCES catalog.product (shop_id, id);
ALTER TABLE catalog.price_change
    ADD CONSTRAINT price_change_sku FOREIGN KEY (shop_id, sku_id) REFERENCES catalog.sku (shop_id, id);
