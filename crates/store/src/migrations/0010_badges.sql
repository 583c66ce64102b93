-- The secret that signs the links of a project's badges; NULL until someone asks for them. Another one ends
-- all links at once.
ALTER TABLE project ADD COLUMN badge_key TEXT;
