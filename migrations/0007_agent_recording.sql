-- Record of one agent's terminals, in MiB; 0: none; null: as the system's setting says, which the version before this one does for all.
ALTER TABLE agents ADD COLUMN recording_megabytes integer CHECK (recording_megabytes BETWEEN 0 AND 256);
