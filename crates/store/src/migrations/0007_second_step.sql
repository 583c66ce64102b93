-- A second step after the password: a secret that an app makes codes from, and codes for when the app is lost.

CREATE TABLE totp (
    account      BLOB PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    secret       BLOB NOT NULL,                 -- 160 random bits (RFC 6238)
    confirmed_at INTEGER,                       -- NULL: no code was shown yet, and none is asked for
    last_step    INTEGER NOT NULL               -- of the last code that was taken: a code works once
) STRICT, WITHOUT ROWID;

CREATE TABLE recovery_code (
    account BLOB NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    hash    BLOB NOT NULL,                      -- SHA-256
    PRIMARY KEY (account, hash)
) STRICT, WITHOUT ROWID;
