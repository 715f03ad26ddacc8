-- One row for every question that was asked, whatever became of it.
CREATE TABLE exchanges (
  id              TEXT PRIMARY KEY,
  asked_at_ms     INTEGER NOT NULL,   -- Unix time
  uid             INTEGER NOT NULL,   -- of the person who asked, as the kernel says
  session         TEXT NOT NULL,
  interface       TEXT NOT NULL,      -- which door it came through: cli, http
  question        TEXT NOT NULL,      -- redacted
  attachment      TEXT NOT NULL,      -- what was piped in, redacted
  level           TEXT,
  role            TEXT,
  role_reason     TEXT,
  model           TEXT,
  model_version   TEXT,               -- digest of the model that answered
  nixos_release   TEXT,
  answer          TEXT NOT NULL,      -- as far as it came, redacted
  outcome         TEXT NOT NULL CHECK (outcome IN ('running', 'answered', 'failed', 'cancelled')),
  error_code      TEXT,
  truncated       INTEGER NOT NULL CHECK (truncated IN (0, 1)),  -- the model did not see the whole prompt
  queue_ms        REAL,
  first_token_ms  REAL,
  total_ms        REAL,
  prompt_tokens   INTEGER,
  answer_tokens   INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX exchanges_by_person ON exchanges (uid, asked_at_ms);
CREATE INDEX exchanges_by_session ON exchanges (uid, session, asked_at_ms);
CREATE INDEX exchanges_by_time ON exchanges (asked_at_ms);

CREATE TABLE feedback (
  id           INTEGER PRIMARY KEY,
  exchange_id  TEXT NOT NULL REFERENCES exchanges (id) ON DELETE CASCADE,
  given_at_ms  INTEGER NOT NULL,
  uid          INTEGER NOT NULL,      -- of the person who judged
  verdict      TEXT NOT NULL CHECK (verdict IN ('good', 'bad', 'corrected')),
  correction   TEXT,                  -- redacted
  CHECK ((verdict = 'corrected') = (correction IS NOT NULL))
) STRICT;

CREATE INDEX feedback_by_exchange ON feedback (exchange_id);
