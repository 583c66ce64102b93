-- Who people are to an OpenID Connect provider.
CREATE TABLE external_identity (
    issuer     TEXT COLLATE "C" NOT NULL,
    subject    TEXT COLLATE "C" NOT NULL, -- the person there; it never changes, as an address may
    account    BYTEA NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
