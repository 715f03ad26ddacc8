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
  words        TEXT                  -- the question's stems, each with who may draw on it; NULL: still to be indexed
) STRICT;
CREATE INDEX past_answers_to_index ON past_answers (id) WHERE words IS NULL;

-- The words are letters and digits only, so SQLite just has to split at the spaces.
CREATE VIRTUAL TABLE past_answers_text USING fts5 (
  words, content='past_answers', content_rowid='id', tokenize='ascii', detail='none'
);
CREATE TRIGGER past_answers_added AFTER INSERT ON past_answers BEGIN
  INSERT INTO past_answers_text (rowid, words) VALUES (new.id, new.words);
END;
CREATE TRIGGER past_answers_removed AFTER DELETE ON past_answers BEGIN
  INSERT INTO past_answers_text (past_answers_text, rowid, words) VALUES ('delete', old.id, old.words);
END;

-- SQL has no stems: the store indexes what is there when it is opened.
INSERT INTO past_answers (exchange_id, words)
SELECT a.id, NULL FROM accepted_exchanges a JOIN exchanges e USING (id) ORDER BY e.asked_at_ms;
