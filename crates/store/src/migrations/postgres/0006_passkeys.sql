-- Passkeys, and what the server must remember between the two halves of using one.

CREATE TABLE passkey (
    id         BYTEA PRIMARY KEY, -- names it in lists
    account    BYTEA NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    credential BYTEA NOT NULL UNIQUE, -- the credential's own id
    name       TEXT COLLATE "C" NOT NULL,
    json       TEXT COLLATE "C" NOT NULL, -- JSON: the public key, the counter, how it was made
    created_at BIGINT NOT NULL,
    used_at    BIGINT
);
CREATE INDEX passkey_account ON passkey (account, created_at);

CREATE TABLE ceremony (
    hash       BYTEA PRIMARY KEY, -- SHA-256 of the secret in the form
    state      TEXT COLLATE "C" NOT NULL, -- JSON: the challenge, and what is asked for
    expires_at BIGINT NOT NULL
);
CREATE INDEX ceremony_age ON ceremony (expires_at);
