-- Whether an account's address is known to be its owner's; and projects that were removed.

ALTER TABLE account ADD COLUMN verified_at BIGINT; -- when that was proved; NULL: it never was

-- Projects that were removed, until everything of theirs is gone. Nobody is a member any more.
CREATE TABLE removed_project (
    id BYTEA PRIMARY KEY
);
