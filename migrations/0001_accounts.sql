-- Accounts: people, their browser sessions, links that create accounts, settings, events for browsers, audit.

CREATE EXTENSION IF NOT EXISTS citext;

CREATE TABLE users (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Without '@' a user name never equals an e-mail address, so "user name or e-mail" names one account.
  username       citext NOT NULL CONSTRAINT users_username_key UNIQUE
                 CONSTRAINT users_username_check CHECK (length(username) BETWEEN 2 AND 32 AND username !~ '[@[:space:][:cntrl:]]'),
  email          citext CONSTRAINT users_email_key UNIQUE
                 CONSTRAINT users_email_check CHECK (length(email) BETWEEN 3 AND 254 AND position('@' IN email) > 0),
  display_name   text NOT NULL CHECK (length(display_name) BETWEEN 1 AND 80),
  password_hash  text,
  role           text NOT NULL CHECK (role IN ('admin', 'user')),
  status         text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
  token_version  integer NOT NULL DEFAULT 1,
  created_at     timestamptz NOT NULL DEFAULT now(),
  updated_at     timestamptz NOT NULL DEFAULT now(),
  last_active_at timestamptz
);
-- "Is there an active admin?" is asked by every sign-in page and every demotion.
CREATE INDEX users_active_admins ON users (id) WHERE role = 'admin' AND status = 'active';

CREATE TABLE auth_sessions (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id         bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  family_hash     bytea NOT NULL CONSTRAINT auth_sessions_family_hash_key UNIQUE,
  refresh_counter integer NOT NULL DEFAULT 1,
  rotated_at      timestamptz NOT NULL DEFAULT now(),
  user_agent      text NOT NULL CHECK (length(user_agent) <= 200),
  ip              text NOT NULL CHECK (length(ip) <= 64),
  created_at      timestamptz NOT NULL DEFAULT now(),
  last_used_at    timestamptz NOT NULL DEFAULT now(),
  expires_at      timestamptz NOT NULL,
  revoked_at      timestamptz,
  revoked_reason  text CHECK (revoked_reason IN ('signed_out', 'signed_out_elsewhere', 'reuse', 'password_changed', 'account_changed', 'too_many'))
);
CREATE INDEX auth_sessions_user_id ON auth_sessions (user_id, last_used_at DESC);
CREATE INDEX auth_sessions_expires_at ON auth_sessions (expires_at);

CREATE TABLE invites (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind        text NOT NULL CHECK (kind IN ('invite', 'admin')),
  secret_hash bytea NOT NULL CONSTRAINT invites_secret_hash_key UNIQUE,
  email       citext,
  role        text NOT NULL CHECK (role IN ('admin', 'user')),
  invited_by  bigint REFERENCES users (id) ON DELETE CASCADE,
  created_at  timestamptz NOT NULL DEFAULT now(),
  expires_at  timestamptz NOT NULL,
  used_at     timestamptz,
  used_by     bigint REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX invites_invited_by ON invites (invited_by);
CREATE INDEX invites_used_by ON invites (used_by);

CREATE TABLE system_settings (
  key        text PRIMARY KEY,
  value      jsonb NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  updated_by bigint REFERENCES users (id) ON DELETE SET NULL
);

CREATE TABLE outbox (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id    bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  event      jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_user_id ON outbox (user_id, id);
CREATE INDEX outbox_created_at ON outbox (created_at);

CREATE TABLE audit_log (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at          timestamptz NOT NULL DEFAULT now(),
  -- No foreign key: the record outlives the account.
  actor_id    bigint,
  action      text NOT NULL,
  target_type text,
  target_id   text,
  ip          text,
  request_id  text,
  details     jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_at ON audit_log (at);
