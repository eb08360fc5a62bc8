-- version 1

-- People and what belongs to them are few and wanted everywhere; on Citus they stay on the coordinator.
CREATE TABLE identity.person (
    id            bigint PRIMARY KEY,
    login         text NOT NULL CHECK (char_length(login) BETWEEN 3 AND 64),
    login_key     text NOT NULL CONSTRAINT person_login UNIQUE CHECK (char_length(login_key) BETWEEN 1 AND 256),
    name          text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 64),
    password_hash text NOT NULL CHECK (password_hash <> ''),
    created_at    timestamptz NOT NULL
);

CREATE TABLE identity.role (
    person_id  bigint NOT NULL REFERENCES identity.person,
    role       text NOT NULL CHECK (role IN ('buyer', 'creator', 'merchant', 'operator')),
    granted_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, role)
);

CREATE TABLE identity.membership (
    shop_id    bigint NOT NULL,
    person_id  bigint NOT NULL REFERENCES identity.person,
    granted_at timestamptz NOT NULL,
    PRIMARY KEY (shop_id, person_id)
);
CREATE INDEX membership_of_person ON identity.membership (person_id);

-- Only a hash of the token is kept: who reads the table can sign in as no one.
CREATE TABLE identity.session (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    person_id  bigint NOT NULL REFERENCES identity.person,
    created_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL CHECK (seen_at >= created_at),
    expires_at timestamptz NOT NULL CHECK (expires_at > seen_at)
);
CREATE INDEX session_of_person ON identity.session (person_id);
CREATE INDEX session_expiry ON identity.session (expires_at);

-- Failed sign-ins per login and per client address, in windows that begin with the first failure.
CREATE TABLE identity.sign_in_failure (
    subject  text PRIMARY KEY,
    began_at timestamptz NOT NULL,
    failures integer NOT NULL CHECK (failures >= 0)
);
CREATE INDEX sign_in_failure_age ON identity.sign_in_failure (began_at);

-- version 2

-- Agencies 团长·机构 recruit goods and creators for a fee.
ALTER TABLE identity.role
    DROP CONSTRAINT role_role_check,
    ADD CONSTRAINT role_known CHECK (role IN ('buyer', 'creator', 'merchant', 'agency', 'operator'));
