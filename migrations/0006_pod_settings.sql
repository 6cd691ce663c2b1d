-- What is particular to the pod of one agent, and settings of one account. Empty: as the level above says.
ALTER TABLE agents ADD COLUMN pod jsonb NOT NULL DEFAULT '{}';

CREATE TABLE user_settings (
  user_id    bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  key        text NOT NULL CHECK (length(key) <= 64),
  value      jsonb NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  updated_by bigint REFERENCES users (id) ON DELETE SET NULL,
  PRIMARY KEY (user_id, key)
);
CREATE INDEX user_settings_updated_by ON user_settings (updated_by);
