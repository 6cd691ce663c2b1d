-- Grows with every change of an agent that browsers are told of, so that a page can tell an older answer from a newer one.
ALTER TABLE agents ADD COLUMN published_revision bigint NOT NULL DEFAULT 0;
