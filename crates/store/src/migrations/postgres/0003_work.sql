-- What each run says of its work, where it says anything: what was read from its output, the numbers that it
-- reported, and the rules that did not hold. JSON.
ALTER TABLE run ADD COLUMN work TEXT COLLATE "C";
