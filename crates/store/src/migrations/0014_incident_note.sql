-- What people write about an incident, told as it was then: names stay when accounts go.
CREATE TABLE incident_note (
    id       BLOB PRIMARY KEY,
    incident BLOB NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
    at       INTEGER NOT NULL,
    who      TEXT NOT NULL,                     -- the e-mail address, or the key's name
    text     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX incident_note_incident ON incident_note (incident, at, id);
