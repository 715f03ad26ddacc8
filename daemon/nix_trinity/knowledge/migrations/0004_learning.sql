-- What is learned from exchanges: who allows it, what was made of each, and the builds that use it.

-- The options that an answer names, with the types that they had: JSON, {"services.x.enable": "boolean"}. An answer
-- is true for a later NixOS only while these are the same.
ALTER TABLE exchanges ADD COLUMN option_types TEXT NOT NULL DEFAULT '{}';
ALTER TABLE feedback ADD COLUMN option_types TEXT NOT NULL DEFAULT '{}';   -- of the correction
ALTER TABLE feedback ADD COLUMN check_verdict TEXT                         -- what the check of the correction came to
  CHECK (check_verdict IS NULL OR check_verdict IN ('verified', 'corrected', 'flagged', 'ungrounded'));
ALTER TABLE feedback ADD COLUMN options_release TEXT;                      -- by the options of which it was checked

-- Whether a person lets models learn from their exchanges. Who is not here said nothing.
CREATE TABLE consents (
  uid         INTEGER PRIMARY KEY,
  allows      INTEGER NOT NULL CHECK (allows IN (0, 1)),
  said_at_ms  INTEGER NOT NULL
) STRICT;

-- An operator's word on what may be learned.
CREATE TABLE reviews (
  exchange_id    TEXT PRIMARY KEY REFERENCES exchanges (id) ON DELETE CASCADE,
  decision       TEXT NOT NULL CHECK (decision IN ('accepted', 'rejected')),
  uid            INTEGER NOT NULL,
  decided_at_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- After a change of the options: an answer in which renamed options have their new names, or why it is set aside.
CREATE TABLE renewals (
  exchange_id    TEXT PRIMARY KEY REFERENCES exchanges (id) ON DELETE CASCADE,
  answer         TEXT,                -- NULL: it could not be mended and is set aside
  option_types   TEXT NOT NULL DEFAULT '{}',
  reason         TEXT NOT NULL,       -- what changed, in words
  release        TEXT,                -- by the options of which
  renewed_at_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the quality analysis made of an exchange.
CREATE TABLE lessons (
  exchange_id     TEXT PRIMARY KEY REFERENCES exchanges (id) ON DELETE CASCADE,
  role            TEXT NOT NULL,
  topic           TEXT NOT NULL,
  kind            TEXT NOT NULL CHECK (kind IN ('corrected', 'confirmed', 'unjudged', 'bad')),
  state           TEXT NOT NULL CHECK (state IN ('eligible', 'held_out', 'duplicate', 'excluded', 'review')),
  reason          TEXT NOT NULL,      -- why it is in that state, in words
  value           REAL NOT NULL,      -- how much it is worth as an example, from 0 to 1
  cluster         TEXT NOT NULL,      -- equal for exchanges that ask the same
  question        TEXT NOT NULL,
  answer          TEXT NOT NULL,      -- the correction or the renewed answer where there is one
  option_types    TEXT NOT NULL,
  judged_by       INTEGER,            -- the person whose word counts
  by_operator     INTEGER NOT NULL CHECK (by_operator IN (0, 1)),
  judged_at_ms    INTEGER NOT NULL,
  options_release TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX lessons_by_state ON lessons (state, value);
CREATE INDEX lessons_by_cluster ON lessons (cluster);

-- Exchanges of which something changed since they were analysed: a build looks at these and at no others.
CREATE TABLE to_analyse (exchange_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TRIGGER analyse_new_feedback AFTER INSERT ON feedback BEGIN
  INSERT OR IGNORE INTO to_analyse VALUES (new.exchange_id);
END;
CREATE TRIGGER analyse_new_review AFTER INSERT ON reviews BEGIN
  INSERT OR IGNORE INTO to_analyse VALUES (new.exchange_id);
END;
CREATE TRIGGER analyse_changed_review AFTER UPDATE ON reviews BEGIN
  INSERT OR IGNORE INTO to_analyse VALUES (new.exchange_id);
END;
CREATE TRIGGER analyse_new_renewal AFTER INSERT ON renewals BEGIN
  INSERT OR IGNORE INTO to_analyse VALUES (new.exchange_id);
END;
CREATE TRIGGER analyse_changed_renewal AFTER UPDATE ON renewals BEGIN
  INSERT OR IGNORE INTO to_analyse VALUES (new.exchange_id);
END;
CREATE TRIGGER analyse_ended_exchange AFTER UPDATE OF outcome ON exchanges
WHEN new.outcome = 'answered' AND old.outcome <> 'answered' BEGIN
  INSERT OR IGNORE INTO to_analyse VALUES (new.id);
END;
CREATE TRIGGER analyse_new_exchange AFTER INSERT ON exchanges WHEN new.outcome = 'answered' BEGIN
  INSERT OR IGNORE INTO to_analyse VALUES (new.id);
END;
CREATE TRIGGER analyse_after_consent AFTER INSERT ON consents BEGIN
  INSERT OR IGNORE INTO to_analyse
  SELECT DISTINCT e.id FROM exchanges e JOIN feedback f ON f.exchange_id = e.id WHERE e.uid = new.uid;
END;
CREATE TRIGGER analyse_after_changed_consent AFTER UPDATE ON consents BEGIN
  INSERT OR IGNORE INTO to_analyse
  SELECT DISTINCT e.id FROM exchanges e JOIN feedback f ON f.exchange_id = e.id WHERE e.uid = new.uid;
END;
INSERT INTO to_analyse SELECT DISTINCT exchange_id FROM feedback;

-- Builds, so that a killed one is seen and each kind knows its last success.
CREATE TABLE builds (
  id              TEXT PRIMARY KEY,
  kind            TEXT NOT NULL CHECK (kind IN ('weekly', 'monthly', 'immediate', 'manual')),
  state           TEXT NOT NULL CHECK (state IN ('running', 'done', 'nothing_new', 'put_off', 'failed')),
  roles           TEXT NOT NULL,      -- JSON: ["expert", …]
  reason          TEXT NOT NULL,      -- why it was asked for
  results         TEXT NOT NULL DEFAULT '[]',  -- JSON: one object for each role
  error_code      TEXT,
  error           TEXT,
  started_at_ms   INTEGER NOT NULL,
  ended_at_ms     INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX builds_by_time ON builds (started_at_ms);

-- Small facts that outlive the daemon, such as the release that learned answers were last checked by.
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- Accepted is now also what an operator's review accepts; what one rejects, or what is set aside, is not. A renewed
-- answer takes the place of the old one.
DROP VIEW accepted_exchanges;
CREATE VIEW accepted_exchanges AS
SELECT
  e.id,
  e.uid,
  e.question,
  coalesce(n.answer, f.correction, e.answer) AS answer,
  coalesce(n.release, f.options_release, e.options_release) AS options_release,
  coalesce(f.by_operator, 0) OR r.decision IS NOT NULL AS by_operator,
  CASE WHEN n.exchange_id IS NOT NULL THEN n.option_types
       WHEN f.correction IS NOT NULL THEN f.option_types
       ELSE e.option_types END AS option_types,
  coalesce(f.given_at_ms, r.decided_at_ms) AS accepted_at_ms
FROM exchanges e
LEFT JOIN feedback f ON f.id = (SELECT max(id) FROM feedback WHERE exchange_id = e.id)
LEFT JOIN reviews r ON r.exchange_id = e.id
LEFT JOIN renewals n ON n.exchange_id = e.id
WHERE e.outcome = 'answered' AND e.learnable = 1
  AND coalesce(r.decision, '') <> 'rejected'
  AND (n.exchange_id IS NULL OR n.answer IS NOT NULL)
  AND (
    f.verdict = 'corrected'
    OR (f.verdict = 'good' AND e.verdict IN ('verified', 'corrected'))
    OR (r.decision = 'accepted' AND coalesce(f.verdict, '') <> 'bad')
  );
