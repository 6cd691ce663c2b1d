-- Agents: configuration, sealed secrets, sessions, what sandboxes report, commands to them, prompts, starts.

CREATE TABLE agents (
  id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  uid                uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT agents_uid_key UNIQUE,
  -- An account with agents is not deleted before somebody decided what becomes of them.
  owner_id           bigint NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
  name               text NOT NULL CHECK (length(name) BETWEEN 1 AND 60),
  icon               text NOT NULL CHECK (length(icon) <= 40),
  description        text NOT NULL DEFAULT '' CHECK (length(description) <= 200),
  instructions       text NOT NULL DEFAULT '' CHECK (length(instructions) <= 32768),
  cli                text NOT NULL CHECK (cli IN ('claude-code', 'codex', 'gemini', 'opencode', 'shell')),
  permission_mode    text NOT NULL DEFAULT 'default' CHECK (permission_mode IN ('default', 'acceptEdits', 'bypass')),
  provider           jsonb,
  proxy              jsonb NOT NULL,
  environment        jsonb NOT NULL DEFAULT '[]',
  desired_state      text NOT NULL DEFAULT 'asleep' CHECK (desired_state IN ('awake', 'asleep')),
  desired_changed_at timestamptz NOT NULL DEFAULT now(),
  -- Grows with every start that replaces the sandbox; credentials and tickets are bound to it.
  generation         integer NOT NULL DEFAULT 0,
  -- Keyed digest of the configuration that `generation` was started with; null before the first start.
  spec_hash          text,
  -- Why the last attempt to start failed before the runtime had a sandbox to show.
  start_failure      jsonb,
  -- What browsers were told last: events go out only when one of these changes.
  published_agent     text,
  published_terminals text,
  created_at         timestamptz NOT NULL DEFAULT now(),
  updated_at         timestamptz NOT NULL DEFAULT now(),
  last_active_at     timestamptz,
  deleted_at         timestamptz,
  CONSTRAINT agents_provider_check CHECK ((cli = 'shell') = (provider IS NULL))
);
-- Two names a person cannot tell apart are one name: case and compatibility forms do not count.
CREATE UNIQUE INDEX agents_owner_name_key ON agents (owner_id, lower(normalize(name, NFKC))) WHERE deleted_at IS NULL;
CREATE INDEX agents_owner_id ON agents (owner_id);
CREATE INDEX agents_deleted_at ON agents (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE agent_secrets (
  agent_id   bigint NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  name       text NOT NULL CHECK (length(name) <= 64),
  key_id     text NOT NULL,
  sealed     bytea NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (agent_id, name)
);

CREATE TABLE sessions (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id        bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  agent_id       bigint NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  opened_at      timestamptz NOT NULL DEFAULT now(),
  last_active_at timestamptz NOT NULL DEFAULT now(),
  ended_at       timestamptz
);
CREATE INDEX sessions_agent_id ON sessions (agent_id);
CREATE INDEX sessions_user_open ON sessions (user_id, last_active_at) WHERE ended_at IS NULL;
CREATE INDEX sessions_last_active_at ON sessions (last_active_at);

-- Newest report of each agent's sidecar.
CREATE TABLE sandbox_reports (
  agent_id    bigint PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
  generation  integer NOT NULL,
  sidecar_id  text NOT NULL,
  sequence    bigint NOT NULL,
  report      jsonb NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE prompts (
  id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  agent_id          bigint NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  author_id         bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  client_request_id text NOT NULL,
  text              text NOT NULL,
  state             text NOT NULL DEFAULT 'queued'
                    CHECK (state IN ('queued', 'delivering', 'delivered', 'failed', 'unknown', 'cancelled')),
  reason            text,
  conversation_id   text,
  created_at        timestamptz NOT NULL DEFAULT now(),
  settled_at        timestamptz,
  CONSTRAINT prompts_client_request_key UNIQUE (agent_id, client_request_id)
);
-- The order of ids is the order of the queue, and one is under way at a time.
CREATE UNIQUE INDEX prompts_one_delivering ON prompts (agent_id) WHERE state = 'delivering';
CREATE INDEX prompts_open ON prompts (agent_id, id) WHERE state IN ('queued', 'delivering', 'failed', 'unknown');
CREATE INDEX prompts_agent_id ON prompts (agent_id, id);
CREATE INDEX prompts_author_id ON prompts (author_id);

CREATE TABLE commands (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  agent_id   bigint NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  generation integer NOT NULL,
  kind       text NOT NULL CHECK (kind IN ('prompt', 'interrupt', 'openTerminal', 'closeTerminal', 'writeFile')),
  prompt_id  bigint REFERENCES prompts (id) ON DELETE CASCADE,
  payload    jsonb NOT NULL,
  state      text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'failed', 'unknown', 'abandoned')),
  -- How often it was handed to a sidecar.
  attempts   integer NOT NULL DEFAULT 0,
  result     jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  -- Nobody waits for it any more after this; null for prompts, which wait as long as it takes.
  expires_at timestamptz,
  settled_at timestamptz,
  CONSTRAINT commands_prompt_check CHECK ((kind = 'prompt') = (prompt_id IS NOT NULL))
);
CREATE INDEX commands_pending ON commands (agent_id, id) WHERE state = 'pending';
CREATE INDEX commands_agent_id ON commands (agent_id);
CREATE INDEX commands_prompt_id ON commands (prompt_id);
CREATE INDEX commands_settled_at ON commands (settled_at);

CREATE TABLE sandbox_starts (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  agent_id    bigint NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
  generation  integer NOT NULL,
  spec_hash   text NOT NULL,
  started_at  timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz,
  phases      jsonb NOT NULL DEFAULT '[]',
  result      text CHECK (result IN ('running', 'failed', 'ended')),
  reason      text,
  CONSTRAINT sandbox_starts_generation_key UNIQUE (agent_id, generation)
);
