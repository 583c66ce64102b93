-- What people write about an incident, told as it was then: names stay when accounts go.
CREATE TABLE incident_note (
    id       BYTEA PRIMARY KEY,
    incident BYTEA NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
    at       BIGINT NOT NULL,
    who      TEXT COLLATE "C" NOT NULL,         -- the e-mail address, or the key's name
    text     TEXT COLLATE "C" NOT NULL
);
CREATE INDEX incident_note_incident ON incident_note (incident, at, id);
