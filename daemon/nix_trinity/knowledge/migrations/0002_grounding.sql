-- What the check of an answer came to, and what it is grounded in.
ALTER TABLE exchanges ADD COLUMN verdict TEXT
  CHECK (verdict IS NULL OR verdict IN ('verified', 'corrected', 'flagged', 'ungrounded'));
ALTER TABLE exchanges ADD COLUMN sources TEXT NOT NULL DEFAULT '[]';  -- JSON: [{kind, name, where}]
ALTER TABLE exchanges ADD COLUMN options_release TEXT;                -- of the options it was checked by
ALTER TABLE exchanges ADD COLUMN learnable INTEGER NOT NULL DEFAULT 1 CHECK (learnable IN (0, 1));
