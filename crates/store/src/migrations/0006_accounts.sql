-- People sign in: how a page looks for them, their sessions, who is invited, and who did what.

ALTER TABLE account ADD COLUMN theme TEXT NOT NULL DEFAULT 'system'; -- system, light, dark
ALTER TABLE account ADD COLUMN time_zone TEXT;  -- NULL: the browser's

-- A browser that is signed in: as an account, or by an API key that it was shown.
CREATE TABLE session (
    id           BLOB PRIMARY KEY,              -- names it in lists; worth nothing by itself
    hash         BLOB NOT NULL UNIQUE,          -- SHA-256 of the cookie's secret; 256 random bits need no salt
    account      BLOB REFERENCES account (id) ON DELETE CASCADE,
    api_key      BLOB REFERENCES api_key (id) ON DELETE CASCADE,
    created_at   INTEGER NOT NULL,
    seen_at      INTEGER NOT NULL,
    confirmed_at INTEGER NOT NULL,              -- when the person last proved who they are
    address      TEXT NOT NULL,                 -- empty: unknown
    user_agent   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_account ON session (account, seen_at);
CREATE INDEX session_key ON session (api_key, seen_at);
CREATE INDEX session_age ON session (seen_at);

-- A one-time link that makes whoever opens it a member.
CREATE TABLE invitation (
    id         BLOB PRIMARY KEY,
    hash       BLOB NOT NULL UNIQUE,            -- SHA-256 of the secret in the link
    project    BLOB NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    role       TEXT NOT NULL,
    email      TEXT,                            -- the only address that may accept; NULL: whoever has the link
    invited_by TEXT NOT NULL,                   -- an e-mail address
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX invitation_project ON invitation (project, created_at);
CREATE INDEX invitation_age ON invitation (expires_at);

-- Who did what, told as it was then: names stay when accounts go.
CREATE TABLE audit (
    id      BLOB PRIMARY KEY,
    at      INTEGER NOT NULL,
    project BLOB REFERENCES project (id) ON DELETE CASCADE, -- NULL: it is about the account alone
    account BLOB,                               -- NULL: an API key did it
    who     TEXT NOT NULL,                      -- the e-mail address, or the key's name
    action  TEXT NOT NULL,
    about   TEXT NOT NULL,
    address TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_project ON audit (project, at, id);
CREATE INDEX audit_account ON audit (account, at, id);
CREATE INDEX audit_age ON audit (at);
