-- Reports by mail: who wants them, and when the next one is due.

CREATE TABLE report (
    account    BYTEA PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    rhythm     TEXT COLLATE "C", -- daily, weekly, monthly; NULL: none
    hour       BIGINT NOT NULL, -- 0 to 23, by the clocks of the account's time zone
    secret     TEXT COLLATE "C" NOT NULL UNIQUE, -- in the links that end the reports: good for that alone
    next_at    BIGINT, -- due, to be tried again, or the end of a claim; NULL: none
    told_until BIGINT, -- the end of what the last one told; NULL: none yet
    claim      BIGINT NOT NULL, -- grows with each claim: only the last claimer may send
    attempts   BIGINT NOT NULL, -- at the one that is due
    sent_at    BIGINT, -- when the last one was handed over
    problem    TEXT COLLATE "C" -- why the last one did not arrive, or may not have
);
CREATE INDEX report_due ON report (next_at) WHERE next_at IS NOT NULL;

-- Reports tell incidents that ended in their time.
CREATE INDEX incident_closed ON incident (project, closed_at) WHERE closed_at IS NOT NULL;
