-- People sign in: how a page looks for them, their sessions, who is invited, and who did what.

ALTER TABLE account ADD COLUMN theme TEXT COLLATE "C" NOT NULL DEFAULT 'system'; -- system, light, dark
ALTER TABLE account ADD COLUMN time_zone TEXT COLLATE "C";  -- NULL: the browser's

-- A browser that is signed in: as an account, or by an API key that it was shown.
CREATE TABLE session (
    id           BYTEA PRIMARY KEY, -- names it in lists; worth nothing by itself
    hash         BYTEA NOT NULL UNIQUE, -- SHA-256 of the cookie's secret; 256 random bits need no salt
    account      BYTEA REFERENCES account (id) ON DELETE CASCADE,
    api_key      BYTEA REFERENCES api_key (id) ON DELETE CASCADE,
    created_at   BIGINT NOT NULL,
    seen_at      BIGINT NOT NULL,
    confirmed_at BIGINT NOT NULL, -- when the person last proved who they are
    address      TEXT COLLATE "C" NOT NULL, -- empty: unknown
    user_agent   TEXT COLLATE "C" NOT NULL
);
CREATE INDEX session_account ON session (account, seen_at);
CREATE INDEX session_key ON session (api_key, seen_at);
CREATE INDEX session_age ON session (seen_at);

-- A one-time link that makes whoever opens it a member.
CREATE TABLE invitation (
    id         BYTEA PRIMARY KEY,
    hash       BYTEA NOT NULL UNIQUE, -- SHA-256 of the secret in the link
    project    BYTEA NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    role       TEXT COLLATE "C" NOT NULL,
    email      TEXT COLLATE "C", -- the only address that may accept; NULL: whoever has the link
    invited_by TEXT COLLATE "C" NOT NULL, -- an e-mail address
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX invitation_project ON invitation (project, created_at);
CREATE INDEX invitation_age ON invitation (expires_at);

-- Who did what, told as it was then: names stay when accounts go.
CREATE TABLE audit (
    id      BYTEA PRIMARY KEY,
    at      BIGINT NOT NULL,
    project BYTEA REFERENCES project (id) ON DELETE CASCADE, -- NULL: it is about the account alone
    account BYTEA, -- NULL: an API key did it
    who     TEXT COLLATE "C" NOT NULL, -- the e-mail address, or the key's name
    action  TEXT COLLATE "C" NOT NULL,
    about   TEXT COLLATE "C" NOT NULL,
    address TEXT COLLATE "C" NOT NULL
);
CREATE INDEX audit_project ON audit (project, at, id);
CREATE INDEX audit_account ON audit (account, at, id);
CREATE INDEX audit_age ON audit (at);
