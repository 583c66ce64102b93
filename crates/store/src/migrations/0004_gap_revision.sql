-- Grows with each gap that is entered: whoever keeps the ledger in memory sees that it is old.
ALTER TABLE service ADD COLUMN gap_revision INTEGER NOT NULL DEFAULT 0;
