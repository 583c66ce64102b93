-- What a project shows to everybody who knows the address.
CREATE TABLE status_page (
    id         BYTEA PRIMARY KEY,
    project    BYTEA NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    path       TEXT COLLATE "C" NOT NULL UNIQUE, -- the last part of its address
    tag        TEXT COLLATE "C" NOT NULL,       -- of the heartbeats that it shows; empty: all
    title      TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX status_page_project ON status_page (project, created_at);
