-- The first schema. Times are microseconds since 1970 in UTC, ids are 16-byte UUIDs, booleans 0 or 1,
-- lists and rare structures are JSON text.

-- Tenants and their keys --------------------------------------------------------------------------

CREATE TABLE project (
    id               BLOB PRIMARY KEY,
    name             TEXT NOT NULL,
    ping_key         TEXT NOT NULL UNIQUE,      -- opens the slug URLs of all the project's heartbeats
    fallback_channel BLOB,                      -- used too when an alert is undelivered for two minutes
    created_at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
    id            BLOB PRIMARY KEY,
    email         TEXT NOT NULL UNIQUE,
    password_hash TEXT,                         -- argon2id, PHC format; NULL: cannot sign in by password
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE member (
    project BLOB NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    account BLOB NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    role    TEXT NOT NULL,                      -- owner, manager, member, read-only
    PRIMARY KEY (project, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_account ON member (account);

CREATE TABLE api_key (
    id           BLOB PRIMARY KEY,
    project      BLOB NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    scope        TEXT NOT NULL,                 -- read-write, read-only
    hash         BLOB NOT NULL UNIQUE,          -- SHA-256 of the key; 256 random bits need no salt
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_key_project ON api_key (project, created_at);

-- One-time links, such as the one that opens an empty server.
CREATE TABLE one_time_link (
    hash       BLOB PRIMARY KEY,                -- SHA-256 of the secret in the link
    purpose    TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Heartbeats --------------------------------------------------------------------------------------

-- What a person sees and edits. A signal never writes here.
CREATE TABLE heartbeat (
    id          BLOB PRIMARY KEY,
    project     BLOB NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    slug        TEXT NOT NULL,
    description TEXT NOT NULL,
    tags        TEXT NOT NULL,                  -- JSON list of text
    channels    TEXT NOT NULL,                  -- 'all', or a JSON list of channel ids
    created_at  INTEGER NOT NULL,
    version     INTEGER NOT NULL                -- the ETag; grows with each edit
) STRICT, WITHOUT ROWID;
CREATE INDEX heartbeat_slug ON heartbeat (project, slug);
CREATE INDEX heartbeat_age ON heartbeat (project, created_at, id);

-- Heartbeats that were removed, and the heads of the logs that they left behind, until these are pruned.
CREATE TABLE removed_heartbeat (
    id            BLOB PRIMARY KEY,
    newest_signal INTEGER,
    newest_run    INTEGER
) STRICT, WITHOUT ROWID;

-- Settings are immutable and shared: an edit points a heartbeat to another row. A million heartbeats of
-- one kind are one row here, and a cached row can never be stale.
CREATE TABLE settings (
    id   INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,                  -- SHA-256 of json
    json TEXT NOT NULL
) STRICT;

-- The narrow row that every signal changes. No index but the key: one more would double the writing.
CREATE TABLE heartbeat_state (
    id              BLOB PRIMARY KEY,
    settings        INTEGER NOT NULL,
    phase           INTEGER NOT NULL,
    armed_at        INTEGER NOT NULL,
    last_signal_at  INTEGER,
    last_success_at INTEGER,
    expected_at     INTEGER,
    wake_at         INTEGER,
    failures        INTEGER NOT NULL,
    successes       INTEGER NOT NULL,
    signals         INTEGER NOT NULL,
    incidents       INTEGER NOT NULL,
    alerts          INTEGER NOT NULL,
    version         INTEGER NOT NULL,
    newest_signal   INTEGER,                    -- signal.id: the head of the chain of signals
    newest_run      INTEGER,                    -- run.id: the head of the chain of runs
    run_started_at  INTEGER,
    run_ended_at    INTEGER,
    run_outcome     INTEGER,
    rare            TEXT                        -- JSON: open runs, ended run ids, open incident; mostly NULL
) STRICT, WITHOUT ROWID;

-- The log of signals, append only. Each row names its heartbeat's previous one: the newest hundred are a
-- hundred look-ups by key, without an index that every signal would have to write to.
CREATE TABLE signal (
    id             INTEGER PRIMARY KEY,
    previous       INTEGER,
    heartbeat      BLOB NOT NULL,
    kind           INTEGER NOT NULL,
    received_at    INTEGER NOT NULL,
    happened_at    INTEGER,                     -- NULL: the same as received_at
    rid            BLOB,
    exit_code      INTEGER,
    ignored        INTEGER,
    method         TEXT NOT NULL,
    source         TEXT NOT NULL,
    user_agent     TEXT NOT NULL,
    metrics        TEXT,                        -- JSON object of numbers
    body           BLOB,
    body_bytes     INTEGER                      -- the size that was sent; NULL: no body. Larger than body: cut
) STRICT;

CREATE TABLE signal_nonce (
    heartbeat   BLOB NOT NULL,
    nonce       TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (heartbeat, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX signal_nonce_age ON signal_nonce (received_at);

CREATE TABLE run (
    id         INTEGER PRIMARY KEY,
    previous   INTEGER,
    heartbeat  BLOB NOT NULL,
    rid        BLOB,
    started_at INTEGER,
    ended_at   INTEGER NOT NULL,
    outcome    INTEGER NOT NULL,
    exit_code  INTEGER
) STRICT;

-- What is left of runs after a year.
CREATE TABLE run_day (
    heartbeat        BLOB NOT NULL,
    day              INTEGER NOT NULL,          -- days since 1970 in UTC
    ok               INTEGER NOT NULL,
    warning          INTEGER NOT NULL,
    failed           INTEGER NOT NULL,
    timed            INTEGER NOT NULL,          -- runs whose duration is known
    duration_total   INTEGER NOT NULL,          -- microseconds, of the timed ones
    duration_longest INTEGER NOT NULL,
    PRIMARY KEY (heartbeat, day)
) STRICT, WITHOUT ROWID;

-- How far retention has come with each heartbeat. Not in heartbeat_state: signals write that row.
CREATE TABLE pruned (
    heartbeat BLOB PRIMARY KEY REFERENCES heartbeat (id) ON DELETE CASCADE,
    signals   INTEGER NOT NULL,                 -- heartbeat_state.signals as its signals were looked through
    runs      INTEGER NOT NULL,                 -- the same number, as its runs were
    look_at   INTEGER NOT NULL                  -- when age alone makes another look worth it
) STRICT, WITHOUT ROWID;

CREATE TABLE incident (
    id              BLOB PRIMARY KEY,
    project         BLOB NOT NULL,
    heartbeat       BLOB NOT NULL,
    heartbeat_name  TEXT NOT NULL,
    number          INTEGER NOT NULL,
    cause           TEXT NOT NULL,
    claim           TEXT NOT NULL,
    opened_at       INTEGER NOT NULL,
    closed_at       INTEGER,
    closing         TEXT,                       -- NULL while open, and when the heartbeat was removed
    acknowledged_at INTEGER,
    snoozed_until   INTEGER,
    alert           TEXT NOT NULL               -- JSON: the snapshot that opened it, for its text; null: held back
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX incident_heartbeat ON incident (heartbeat, number);
CREATE INDEX incident_project ON incident (project, opened_at);
CREATE INDEX incident_open ON incident (project, opened_at) WHERE closed_at IS NULL;

-- Alerts ------------------------------------------------------------------------------------------

CREATE TABLE channel (
    id         BLOB PRIMARY KEY,
    project    BLOB NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    fields     TEXT NOT NULL,                   -- JSON object of text
    created_at INTEGER NOT NULL,
    version    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX channel_name ON channel (project, name);

-- The outbox: one row an alert and channel, committed together with the transition that caused it.
CREATE TABLE delivery (
    number        INTEGER PRIMARY KEY AUTOINCREMENT, -- in the order in which they were decided
    id            BLOB NOT NULL UNIQUE,         -- the idempotency key that the receiver sees
    project       BLOB NOT NULL,
    channel       BLOB NOT NULL,
    heartbeat     BLOB NOT NULL,
    incident      BLOB,
    event         TEXT NOT NULL,
    digest        INTEGER NOT NULL,             -- may travel with others in one message
    snapshot      TEXT NOT NULL,                -- JSON: all that the message needs
    state         TEXT NOT NULL,                -- queued, sending, sent, failing, cancelled
    created_at    INTEGER NOT NULL,
    next_try_at   INTEGER,                      -- NULL: never again
    attempts      INTEGER NOT NULL,
    claim         INTEGER NOT NULL,             -- grows with each claim: only the last claimer may finish it
    last_error    TEXT,
    sent_at       INTEGER,
    fallback      INTEGER NOT NULL,             -- 1: a copy for the fallback channel; 2: such a copy was made
    dismissed_at  INTEGER
) STRICT;
CREATE INDEX delivery_waiting ON delivery (channel, heartbeat, number) WHERE state IN ('queued', 'sending');
CREATE INDEX delivery_due ON delivery (channel, next_try_at, number) WHERE state IN ('queued', 'sending');
CREATE INDEX delivery_unhelped ON delivery (created_at) WHERE state IN ('queued', 'sending') AND fallback = 0;
CREATE INDEX delivery_project ON delivery (project, number);
CREATE INDEX delivery_failing ON delivery (project, channel) WHERE state = 'failing' AND dismissed_at IS NULL;
CREATE INDEX delivery_sent ON delivery (channel, sent_at) WHERE sent_at IS NOT NULL;

CREATE TABLE attempt (
    delivery    INTEGER NOT NULL REFERENCES delivery (number) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    duration    INTEGER NOT NULL,               -- microseconds
    ok          INTEGER NOT NULL,
    detail      TEXT NOT NULL,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE maintenance (
    id         BLOB PRIMARY KEY,
    project    BLOB NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    from_at    INTEGER NOT NULL,
    to_at      INTEGER NOT NULL,
    note       TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX maintenance_project ON maintenance (project, to_at);

-- What this server knows of itself ----------------------------------------------------------------

CREATE TABLE gap (
    id      INTEGER PRIMARY KEY,
    from_at INTEGER NOT NULL,
    to_at   INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    UNIQUE (from_at, to_at, kind)               -- a gap may be told twice before it is known to be stored
) STRICT;
CREATE INDEX gap_age ON gap (to_at);

-- One row. Until alive_until, receiving is known to have worked.
CREATE TABLE service (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    alive_until  INTEGER,
    stopped_clean INTEGER NOT NULL
) STRICT;
INSERT INTO service (one, alive_until, stopped_clean) VALUES (1, NULL, 0);
