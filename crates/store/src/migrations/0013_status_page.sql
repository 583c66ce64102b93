-- What a project shows to everybody who knows the address.
CREATE TABLE status_page (
    id         BLOB PRIMARY KEY,
    project    BLOB NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    path       TEXT NOT NULL UNIQUE,            -- the last part of its address
    tag        TEXT NOT NULL,                   -- of the heartbeats that it shows; empty: all
    title      TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX status_page_project ON status_page (project, created_at);
