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
  decided_at_ms  INTEGER NOT NULL,
  correction_id  INTEGER              -- the feedback whose correction was looked at; NULL: the answer itself
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
CREATE INDEX renewals_set_aside ON renewals (exchange_id) WHERE answer IS NULL;
-- A renewal is of one text. A word that puts another in its place ends it, or the correction would never be seen.
CREATE TRIGGER renewal_ends_with_its_text AFTER INSERT ON feedback
WHEN EXISTS (SELECT 1 FROM feedback WHERE exchange_id = new.exchange_id AND correction IS NOT NULL) BEGIN
  DELETE FROM renewals WHERE exchange_id = new.exchange_id;
END;

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
CREATE INDEX lessons_by_state ON lessons (state, value DESC, judged_at_ms DESC);
CREATE INDEX lessons_by_role ON lessons (role, state, value DESC, judged_at_ms DESC);
CREATE INDEX lessons_by_cluster ON lessons (cluster, value DESC, judged_at_ms DESC);

-- The stems of a lesson's question, and which lessons have a stem. Plain tables, since FTS5 would have to be built
-- anew whenever a person has a question forgotten.
CREATE TABLE lesson_words (
  id           INTEGER PRIMARY KEY,   -- the greater, the newer
  exchange_id  TEXT NOT NULL UNIQUE REFERENCES lessons (exchange_id) ON DELETE CASCADE,
  stems        TEXT NOT NULL          -- JSON: ["enabl", "ssh"], each once
) STRICT;
CREATE TABLE lesson_stems (
  stem    TEXT NOT NULL,
  lesson  INTEGER NOT NULL,           -- lesson_words.id
  PRIMARY KEY (stem, lesson)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER lesson_words_added AFTER INSERT ON lesson_words BEGIN
  INSERT INTO lesson_stems (stem, lesson) SELECT value, new.id FROM json_each(new.stems);
END;
CREATE TRIGGER lesson_words_removed AFTER DELETE ON lesson_words BEGIN
  DELETE FROM lesson_stems WHERE lesson = old.id AND stem IN (SELECT value FROM json_each(old.stems));
END;

-- Exchanges of which something changed since they were analysed: a build looks at these and at no others.
CREATE TABLE to_analyse (
  exchange_id  TEXT PRIMARY KEY,
  -- Whether a build is looking at it as it is. What changes meanwhile is not taken any more, and looked at again.
  taken        INTEGER NOT NULL DEFAULT 0 CHECK (taken IN (0, 1))
) STRICT, WITHOUT ROWID;
-- Not INSERT OR IGNORE: SQLite gives that up inside a trigger that an upsert fires, and the upsert fails.
CREATE TRIGGER analyse_new_feedback AFTER INSERT ON feedback BEGIN
  INSERT INTO to_analyse (exchange_id) VALUES (new.exchange_id) ON CONFLICT DO UPDATE SET taken = 0;
END;
CREATE TRIGGER analyse_new_review AFTER INSERT ON reviews BEGIN
  INSERT INTO to_analyse (exchange_id) VALUES (new.exchange_id) ON CONFLICT DO UPDATE SET taken = 0;
END;
CREATE TRIGGER analyse_changed_review AFTER UPDATE ON reviews BEGIN
  INSERT INTO to_analyse (exchange_id) VALUES (new.exchange_id) ON CONFLICT DO UPDATE SET taken = 0;
END;
CREATE TRIGGER analyse_new_renewal AFTER INSERT ON renewals BEGIN
  INSERT INTO to_analyse (exchange_id) VALUES (new.exchange_id) ON CONFLICT DO UPDATE SET taken = 0;
END;
CREATE TRIGGER analyse_changed_renewal AFTER UPDATE ON renewals BEGIN
  INSERT INTO to_analyse (exchange_id) VALUES (new.exchange_id) ON CONFLICT DO UPDATE SET taken = 0;
END;
CREATE TRIGGER analyse_ended_exchange AFTER UPDATE OF outcome ON exchanges
WHEN new.outcome = 'answered' AND old.outcome <> 'answered' BEGIN
  INSERT INTO to_analyse (exchange_id) VALUES (new.id) ON CONFLICT DO UPDATE SET taken = 0;
END;
CREATE TRIGGER analyse_new_exchange AFTER INSERT ON exchanges WHEN new.outcome = 'answered' BEGIN
  INSERT INTO to_analyse (exchange_id) VALUES (new.id) ON CONFLICT DO UPDATE SET taken = 0;
END;
CREATE TRIGGER analyse_no_more AFTER DELETE ON exchanges BEGIN
  DELETE FROM to_analyse WHERE exchange_id = old.id;
END;
CREATE TRIGGER analyse_after_consent AFTER INSERT ON consents BEGIN
  INSERT INTO to_analyse (exchange_id)
  SELECT e.id FROM exchanges e
  WHERE e.uid = new.uid AND (
    EXISTS (SELECT 1 FROM feedback WHERE exchange_id = e.id)
    OR EXISTS (SELECT 1 FROM reviews WHERE exchange_id = e.id)
    OR EXISTS (SELECT 1 FROM lessons WHERE exchange_id = e.id)
  )
  ON CONFLICT DO UPDATE SET taken = 0;
END;
CREATE TRIGGER analyse_after_changed_consent AFTER UPDATE OF allows ON consents WHEN new.allows <> old.allows BEGIN
  INSERT INTO to_analyse (exchange_id)
  SELECT e.id FROM exchanges e
  WHERE e.uid = new.uid AND (
    EXISTS (SELECT 1 FROM feedback WHERE exchange_id = e.id)
    OR EXISTS (SELECT 1 FROM reviews WHERE exchange_id = e.id)
    OR EXISTS (SELECT 1 FROM lessons WHERE exchange_id = e.id)
  )
  ON CONFLICT DO UPDATE SET taken = 0;
END;
INSERT INTO to_analyse (exchange_id) SELECT DISTINCT exchange_id FROM feedback;

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

-- What a build asks of the time since the last one: how many words were given, and what was answered from nothing.
CREATE INDEX feedback_by_time ON feedback (given_at_ms, verdict, exchange_id);
CREATE INDEX exchanges_ungrounded ON exchanges (asked_at_ms) WHERE outcome = 'answered' AND verdict = 'ungrounded';

-- Every answered exchange with the words on it that count: the newest feedback, and an operator's review. What an
-- operator accepted is one text, so it does not stand for a correction that came later; a rejection stands whatever
-- others say, until an operator corrects the answer.
CREATE VIEW judged_exchanges AS
SELECT
  e.id,
  e.uid,
  e.asked_at_ms,
  e.session,
  e.role,
  e.question,
  e.attachment <> '' AS has_attachment,
  e.answer AS given_answer,
  e.learnable,
  f.verdict AS word,
  f.uid AS judged_by,
  f.given_at_ms AS judged_at_ms,
  coalesce(f.by_operator, 0) AS by_operator,
  r.decision AS review,
  r.decided_at_ms AS reviewed_at_ms,
  CASE WHEN f.correction IS NOT NULL THEN f.check_verdict ELSE e.verdict END AS check_verdict,
  -- The text that people's words are on, and the renewed one that takes its place.
  coalesce(f.correction, e.answer) AS said_answer,
  CASE WHEN f.correction IS NOT NULL THEN f.option_types ELSE e.option_types END AS said_option_types,
  coalesce(n.answer, f.correction, e.answer) AS answer,
  CASE WHEN n.answer IS NOT NULL THEN n.option_types
       WHEN f.correction IS NOT NULL THEN f.option_types
       ELSE e.option_types END AS option_types,
  coalesce(n.release, f.options_release, e.options_release) AS options_release,
  n.exchange_id IS NOT NULL AS renewed,
  CASE WHEN n.exchange_id IS NOT NULL AND n.answer IS NULL THEN n.reason END AS set_aside,
  e.learnable = 1 AND coalesce(r.decision, '') <> 'rejected' AND (
    f.verdict = 'corrected'
    OR (f.verdict = 'good' AND e.verdict IN ('verified', 'corrected'))
    OR (r.decision = 'accepted' AND coalesce(f.verdict, '') <> 'bad')
  ) AS acceptable
FROM exchanges e
LEFT JOIN feedback f ON f.id = (SELECT max(id) FROM feedback WHERE exchange_id = e.id)
LEFT JOIN reviews r ON r.exchange_id = e.id AND CASE r.decision
  WHEN 'accepted' THEN r.correction_id IS (CASE WHEN f.correction IS NOT NULL THEN f.id END)
  ELSE f.correction IS NULL OR f.by_operator = 0 OR r.correction_id IS f.id END
LEFT JOIN renewals n ON n.exchange_id = e.id
WHERE e.outcome = 'answered';

-- Accepted is now also what an operator's review accepts; what one rejects, or what is set aside, is not. A renewed
-- answer takes the place of the old one.
DROP VIEW accepted_exchanges;
CREATE VIEW accepted_exchanges AS
SELECT
  id,
  uid,
  question,
  answer,
  options_release,
  by_operator OR review IS NOT NULL AS by_operator,
  option_types,
  coalesce(judged_at_ms, reviewed_at_ms) AS accepted_at_ms
FROM judged_exchanges
WHERE acceptable AND set_aside IS NULL;
