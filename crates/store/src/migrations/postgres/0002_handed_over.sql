-- Looks that a node which does not watch hands over to those that do: what it stored is due earlier than they
-- know. Whoever reads a row watches that heartbeat, and deletes the row then. Nobody reads the states of all
-- heartbeats for it.
CREATE TABLE handed_over (
    heartbeat BYTEA PRIMARY KEY,
    wake_at   BIGINT NOT NULL
) WITH (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000
);
