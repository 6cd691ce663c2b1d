-- What an event takes in an answer. By it the events of a user are bounded, and pages of them are read; the column of
-- the event itself may be compressed. Generated, so that a server of the version before this one fills it too.
ALTER TABLE outbox ADD COLUMN bytes integer NOT NULL GENERATED ALWAYS AS (octet_length(event::text)) STORED;

-- They are deleted long before the rest of the log.
CREATE INDEX audit_log_failed_sign_ins ON audit_log (at) WHERE action = 'auth.sign_in_failed';
