-- Heartbeats that could not be judged, or whose signals could not be recorded, because a row of theirs
-- cannot be read. Nobody watches them meanwhile, so it is told, once and then daily.
CREATE TABLE broken_heartbeat (
    heartbeat BLOB PRIMARY KEY,
    since     INTEGER NOT NULL,                 -- a gap of this heartbeat alone, from here to mended_at
    mended_at INTEGER,                          -- NULL: it still cannot be read. The row stays until a later success
    told_at   INTEGER NOT NULL,                 -- when it was told last
    incident  BLOB,                             -- its open incident; NULL: nobody can be told, no project is known
    problem   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
