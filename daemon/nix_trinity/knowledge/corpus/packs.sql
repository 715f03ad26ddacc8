-- Knowledge packs in the index. Apart from schema.sql, whose form would have to be counted up, and all vectors made
-- anew; these tables are added to an index that lacks them. A daemon that does not know them drops the sources, and what
-- stands here goes with those.
CREATE TABLE IF NOT EXISTS packs (
  folder    TEXT PRIMARY KEY,                -- as sources.origin has it
  name      TEXT NOT NULL,
  revision  TEXT NOT NULL,                   -- '': none is known
  licence   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS pack_exchanges (
  id        INTEGER PRIMARY KEY,
  source    INTEGER NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
  record    TEXT NOT NULL                    -- the PackExchange as JSON, redacted
) STRICT;
CREATE INDEX IF NOT EXISTS pack_exchanges_by_source ON pack_exchanges (source);

-- The questions' stems, joined by spaces.
CREATE VIRTUAL TABLE IF NOT EXISTS pack_exchanges_text USING fts5 (asked, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 0');
CREATE TRIGGER IF NOT EXISTS pack_exchange_gone AFTER DELETE ON pack_exchanges BEGIN
  DELETE FROM pack_exchanges_text WHERE rowid = old.id;
END;

-- A row here says that something of a pack was removed and may still stand in the file's free pages.
CREATE TABLE IF NOT EXISTS pack_traces (id INTEGER PRIMARY KEY CHECK (id = 1)) STRICT;
CREATE TRIGGER IF NOT EXISTS pack_source_gone AFTER DELETE ON sources WHEN old.kind LIKE 'pack-%' BEGIN
  INSERT INTO pack_traces (id) VALUES (1) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER IF NOT EXISTS pack_source_changed AFTER UPDATE OF digest ON sources
WHEN old.kind LIKE 'pack-%' AND old.digest NOT IN ('', new.digest) BEGIN
  INSERT INTO pack_traces (id) VALUES (1) ON CONFLICT DO NOTHING;
END;
