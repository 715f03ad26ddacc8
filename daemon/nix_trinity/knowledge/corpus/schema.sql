-- The index of what answers are grounded in. All of it is made from files, so that a damaged or outdated one
-- is thrown away and made anew; what people wrote is in knowledge.db.
CREATE TABLE sources (
  id              INTEGER PRIMARY KEY,
  kind            TEXT NOT NULL,             -- options, manual, notes; of packs: packs.sql
  origin          TEXT NOT NULL,             -- nixos, home-manager, notes; of a pack: its folder
  path            TEXT NOT NULL,
  digest          TEXT NOT NULL,             -- of the content, with the index's own form
  release         TEXT,
  entries         INTEGER NOT NULL,
  ingested_at_ms  INTEGER NOT NULL,          -- Unix time
  UNIQUE (path, kind, origin)
) STRICT;

CREATE TABLE options (
  id              INTEGER PRIMARY KEY,
  source          INTEGER NOT NULL REFERENCES sources (id),
  origin          TEXT NOT NULL,
  name            TEXT NOT NULL,
  record          TEXT NOT NULL,             -- the Option, as JSON
  digest          INTEGER NOT NULL,          -- of the record: what is equal is not indexed again
  group_name      TEXT NOT NULL,             -- the set that it stands in: services.openssh
  depth           INTEGER NOT NULL,
  name_stems      TEXT NOT NULL,
  summary_stems   TEXT NOT NULL,             -- of the description's first sentence
  UNIQUE (name, origin)
) STRICT;
CREATE INDEX options_by_group ON options (group_name, depth);
CREATE INDEX options_by_source ON options (source);
CREATE INDEX options_by_folded_name ON options (lower(name));

CREATE TABLE groups (
  id              INTEGER PRIMARY KEY,
  name            TEXT NOT NULL UNIQUE,
  text            TEXT NOT NULL,
  digest          INTEGER NOT NULL
) STRICT;

CREATE TABLE mentions (                      -- how often other texts name an option
  source          INTEGER NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
  name            TEXT NOT NULL,
  count           INTEGER NOT NULL,
  PRIMARY KEY (source, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX mentions_by_name ON mentions (name);

CREATE TABLE passages (                      -- of the manual, and the notes
  id              INTEGER PRIMARY KEY,
  source          INTEGER NOT NULL REFERENCES sources (id),
  kind            TEXT NOT NULL,             -- manual or note
  title           TEXT NOT NULL,
  anchor          TEXT NOT NULL,
  body            TEXT NOT NULL,
  triggers        TEXT NOT NULL,             -- JSON list
  options         TEXT NOT NULL              -- JSON list
) STRICT;
CREATE INDEX passages_by_source ON passages (source);

CREATE TABLE changes (                       -- what a new release did to the names
  seen_at_ms      INTEGER NOT NULL,
  from_release    TEXT,
  to_release      TEXT,
  change          TEXT NOT NULL CHECK (change IN ('came', 'went', 'renamed')),
  name            TEXT NOT NULL,
  successor       TEXT
) STRICT;
CREATE INDEX changes_by_name ON changes (name);

CREATE TABLE words (word TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- The texts are stems already, joined by spaces, so that SQLite only has to split them.
CREATE VIRTUAL TABLE options_text USING fts5 (name, summary, rest, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 0');
CREATE VIRTUAL TABLE groups_text USING fts5 (name, text, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 0');
CREATE VIRTUAL TABLE passages_text USING fts5 (title, asked, body, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 0');
CREATE VIRTUAL TABLE options_terms USING fts5vocab (options_text, row);

-- Vectors: see vectors.py. An option's text is short and often shared by both lists; its vector is kept by the
-- text's digest, so that an option that changed otherwise needs none anew.
CREATE TABLE option_texts (                  -- what each option is embedded as
  id              INTEGER PRIMARY KEY REFERENCES options (id) ON DELETE CASCADE,
  digest          INTEGER NOT NULL
) STRICT;
CREATE INDEX option_texts_by_digest ON option_texts (digest);

CREATE TABLE text_vectors (
  digest          INTEGER PRIMARY KEY,
  text            TEXT NOT NULL,
  depth           INTEGER NOT NULL,          -- options of the upper levels come first
  vector          BLOB                       -- one signed byte a dimension; empty: this text has none
) STRICT;
CREATE INDEX text_vectors_missing ON text_vectors (depth) WHERE vector IS NULL;

CREATE TABLE vector_model (                  -- what the vectors were made by; one row at most
  id              INTEGER PRIMARY KEY CHECK (id = 1),
  name            TEXT NOT NULL,
  digest          TEXT NOT NULL,
  dimensions      INTEGER                    -- known from the first vector on
) STRICT;
