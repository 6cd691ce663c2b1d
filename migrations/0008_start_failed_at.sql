-- When start_failure was written; null beside a failure: the version before this one wrote it.
ALTER TABLE agents ADD COLUMN start_failed_at timestamptz;
