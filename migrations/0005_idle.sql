-- Sleep when idle. Every column has a default that the version before this one can live with.
ALTER TABLE agents
  -- Minutes without anybody after which it is put to sleep; 0: never; null: as the system's setting says.
  ADD COLUMN idle_minutes integer CHECK (idle_minutes BETWEEN 0 AND 10080),
  ADD COLUMN keep_awake_until timestamptz,
  -- When a person was last there: opened it, wrote to it, or used a page that shows it. A page that is only open does not count.
  ADD COLUMN present_at timestamptz NOT NULL DEFAULT now(),
  ADD COLUMN slept_because text CHECK (slept_because IN ('idle', 'person'));
CREATE INDEX agents_awake ON agents (present_at) WHERE desired_state = 'awake' AND deleted_at IS NULL;
