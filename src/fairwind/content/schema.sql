-- version 1

-- Rooms, sessions and pins belong to creators and not to shops: they are few, and on Citus they stay on the coordinator.
CREATE TABLE content.room (
    id         bigint PRIMARY KEY,
    host_id    bigint NOT NULL CONSTRAINT room_of_host UNIQUE,
    title      text   NOT NULL CHECK (char_length(title) BETWEEN 1 AND 60),
    created_at timestamptz NOT NULL
);

CREATE TABLE content.live_session (
    id         uuid PRIMARY KEY,
    room_id    bigint NOT NULL REFERENCES content.room,
    host_id    bigint NOT NULL,
    title      text   NOT NULL CHECK (char_length(title) BETWEEN 1 AND 60),
    state      text   NOT NULL CHECK (state IN ('live', 'ended')),
    started_at timestamptz NOT NULL,
    ended_at   timestamptz CHECK (ended_at >= started_at),
    CONSTRAINT live_session_ended CHECK ((ended_at IS NOT NULL) = (state = 'ended'))
);
CREATE UNIQUE INDEX live_session_of_room ON content.live_session (room_id) WHERE state = 'live';
CREATE INDEX live_session_by_age ON content.live_session (started_at, id) WHERE state = 'live';

-- A row stays when its product is unpinned: orders placed a moment later still name it.
CREATE TABLE content.pin (
    session_id  uuid    NOT NULL REFERENCES content.live_session,
    shop_id     bigint  NOT NULL,
    product_id  bigint  NOT NULL,
    position    integer NOT NULL CHECK (position >= 0),
    note        text    NOT NULL CHECK (char_length(note) <= 200),
    pinned_at   timestamptz NOT NULL,
    unpinned_at timestamptz CHECK (unpinned_at >= pinned_at),
    PRIMARY KEY (session_id, shop_id, product_id)
);
