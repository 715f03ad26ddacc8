-- Accepted exchanges as knowledge: which they are, and a full-text index over their questions.

-- Whether the person who judged was an operator. Of older verdicts that is not known, so they count for the
-- asker alone.
ALTER TABLE feedback ADD COLUMN by_operator INTEGER NOT NULL DEFAULT 0 CHECK (by_operator IN (0, 1));

-- The newest verdict on an exchange decides: a good one takes the answer as it was given, which the check must have
-- found right; a correction is the answer then, whatever the check said of the first one.
CREATE VIEW accepted_exchanges AS
SELECT
  e.id,
  e.uid,
  e.question,
  coalesce(f.correction, e.answer) AS answer,
  e.options_release,
  f.by_operator
FROM exchanges e JOIN feedback f ON f.id = (SELECT max(id) FROM feedback WHERE exchange_id = e.id)
WHERE e.outcome = 'answered' AND e.learnable = 1
  AND (f.verdict = 'corrected' OR (f.verdict = 'good' AND e.verdict IN ('verified', 'corrected')));

CREATE TABLE past_answers (
  id           INTEGER PRIMARY KEY,  -- the greater, the newer
  exchange_id  TEXT NOT NULL UNIQUE REFERENCES exchanges (id) ON DELETE CASCADE,
  question     TEXT NOT NULL,        -- its stems, joined by spaces
  reader       TEXT NOT NULL         -- who may draw on it, as words: u1000, and all; '' while it is still to be indexed
) STRICT;
CREATE INDEX past_answers_to_index ON past_answers (id) WHERE reader = '';

-- Stems are letters and digits only, so SQLite just has to split at the spaces.
CREATE VIRTUAL TABLE past_answers_text USING fts5 (
  question, reader, content='past_answers', content_rowid='id', tokenize='ascii', detail='column'
);
CREATE TRIGGER past_answers_added AFTER INSERT ON past_answers BEGIN
  INSERT INTO past_answers_text (rowid, question, reader) VALUES (new.id, new.question, new.reader);
END;
CREATE TRIGGER past_answers_removed AFTER DELETE ON past_answers BEGIN
  INSERT INTO past_answers_text (past_answers_text, rowid, question, reader)
  VALUES ('delete', old.id, old.question, old.reader);
END;

-- SQL has no stems: the store indexes what is there when it is opened.
INSERT INTO past_answers (exchange_id, question, reader)
SELECT a.id, '', '' FROM accepted_exchanges a JOIN exchanges e USING (id) ORDER BY e.asked_at_ms;
