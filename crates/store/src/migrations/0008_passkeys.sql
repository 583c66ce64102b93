-- Passkeys, and what the server must remember between the two halves of using one.

CREATE TABLE passkey (
    id         BLOB PRIMARY KEY,                -- names it in lists
    account    BLOB NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    credential BLOB NOT NULL UNIQUE,            -- the credential's own id
    name       TEXT NOT NULL,
    json       TEXT NOT NULL,                   -- JSON: the public key, the counter, how it was made
    created_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX passkey_account ON passkey (account, created_at);

CREATE TABLE ceremony (
    hash       BLOB PRIMARY KEY,                -- SHA-256 of the secret in the form
    state      TEXT NOT NULL,                   -- JSON: the challenge, and what is asked for
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ceremony_age ON ceremony (expires_at);
