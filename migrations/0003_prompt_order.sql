-- The order of the queue is the person's. Null: the prompt was never moved, and its id is its place.
ALTER TABLE prompts ADD COLUMN position bigint;
