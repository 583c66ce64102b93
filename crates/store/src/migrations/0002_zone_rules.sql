-- The rules of the time zones in use, as they were when the server started last: it finds out which of
-- them have changed.
CREATE TABLE zone_rules (
    name        TEXT PRIMARY KEY,               -- as it stands in the settings
    fingerprint BLOB NOT NULL                   -- SHA-256 of its clock changes from 2000 to 2100
) STRICT, WITHOUT ROWID;
