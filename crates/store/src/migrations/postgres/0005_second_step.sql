-- A second step after the password: a secret that an app makes codes from, and codes for when the app is lost.

CREATE TABLE totp (
    account      BYTEA PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    secret       BYTEA NOT NULL,                -- 160 random bits (RFC 6238)
    confirmed_at BIGINT,                        -- NULL: no code was shown yet, and none is asked for
    last_step    BIGINT NOT NULL                -- of the last code that was taken: a code works once
);

CREATE TABLE recovery_code (
    account BYTEA NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    hash    BYTEA NOT NULL,                     -- SHA-256
    PRIMARY KEY (account, hash)
);
