// The text of the tables, version by version. A version that was released never changes.
#pragma once

namespace warmpool::daemon {

// No constraint stands on the columns of tasks and results: each costs at every row of a check at
// the start, and the daemon writes them from typed records. Instants are nanoseconds since the
// store was made.
inline constexpr char kSchemaVersion1[] = R"sql(
CREATE TABLE store(
  only INTEGER PRIMARY KEY CHECK(only = 1),
  life INTEGER NOT NULL,
  record INTEGER NOT NULL,
  groups INTEGER NOT NULL,
  instant INTEGER NOT NULL,
  wall INTEGER NOT NULL,
  done INTEGER NOT NULL,
  dead INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  expired INTEGER NOT NULL,
  skipped INTEGER NOT NULL
);
INSERT INTO store VALUES(1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0);

CREATE TABLE types(number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE tenants(number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE slots(number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE pauses(scope INTEGER, name TEXT, PRIMARY KEY(scope, name)) WITHOUT ROWID;
CREATE TABLE words(kind TEXT, number INTEGER, name TEXT, PRIMARY KEY(kind, number)) WITHOUT ROWID;

CREATE TABLE tasks(
  id INTEGER PRIMARY KEY,
  type INTEGER, tenant INTEGER, uid INTEGER,
  priority INTEGER, durability INTEGER, cancel_on_disconnect INTEGER, keep_result INTEGER,
  retries INTEGER, crashes_max INTEGER,
  timeout INTEGER, deadline INTEGER, expiry INTEGER, run_at INTEGER,
  accepted_at INTEGER, eligible_at INTEGER,
  key TEXT, labels TEXT, key_high INTEGER, key_low INTEGER, key_digest INTEGER, key_use INTEGER,
  content INTEGER, payload_bytes INTEGER, checksum INTEGER, file INTEGER, payload BLOB
);

CREATE TABLE progress(
  task INTEGER PRIMARY KEY,
  round INTEGER NOT NULL DEFAULT 1,
  round_at INTEGER,
  attempt INTEGER NOT NULL DEFAULT 0,
  ended INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  crashes INTEGER NOT NULL DEFAULT 0,
  interruptions INTEGER NOT NULL DEFAULT 0,
  cause INTEGER,
  eligible_at INTEGER,
  held INTEGER NOT NULL DEFAULT 0,
  suspect INTEGER NOT NULL DEFAULT 0,
  started_at INTEGER, slot INTEGER, worker INTEGER,
  dead_at INTEGER
);

CREATE TABLE attempts(
  task INTEGER, position INTEGER,
  round INTEGER, attempt INTEGER, cause INTEGER, charge INTEGER, code INTEGER,
  slot INTEGER, worker INTEGER, started_at INTEGER, ended_at INTEGER,
  error TEXT, output TEXT,
  PRIMARY KEY(task, position)
) WITHOUT ROWID;

CREATE TABLE results(
  sequence INTEGER PRIMARY KEY,
  task INTEGER,
  type INTEGER, tenant INTEGER, uid INTEGER, durability INTEGER, keep_result INTEGER,
  accepted_at INTEGER, payload_bytes INTEGER,
  key TEXT, labels TEXT, key_high INTEGER, key_low INTEGER, key_digest INTEGER, key_use INTEGER,
  round INTEGER, attempt INTEGER, verdict INTEGER, cause INTEGER,
  failures INTEGER, crashes INTEGER, interruptions INTEGER,
  started_at INTEGER, settled_at INTEGER, slot INTEGER, attempts INTEGER,
  content INTEGER, bytes INTEGER, checksum INTEGER, file INTEGER, body BLOB
);
CREATE UNIQUE INDEX result_of ON results(task);

CREATE TABLE keys(
  sequence INTEGER PRIMARY KEY,
  task INTEGER, key_high INTEGER, key_low INTEGER, key_digest INTEGER, settled_at INTEGER
);

CREATE VIEW task_list AS
  SELECT t.id, ty.name AS type, te.name AS tenant, t.uid, t.priority,
    CASE WHEN p.dead_at IS NOT NULL THEN 'dead' WHEN p.attempt > p.ended THEN 'running'
         WHEN p.held THEN 'held' ELSE 'waiting' END AS state,
    ifnull(p.round, 1) AS round, ifnull(p.attempt, 0) AS attempt,
    ifnull(p.failures, 0) AS failures, ifnull(p.crashes, 0) AS crashes,
    ifnull(p.interruptions, 0) AS interruptions,
    (SELECT name FROM words w WHERE w.kind = 'cause' AND w.number = p.cause) AS cause,
    datetime((t.accepted_at - s.instant + s.wall) / 1000000000, 'unixepoch') AS accepted_at,
    datetime((ifnull(p.eligible_at, t.eligible_at) - s.instant + s.wall) / 1000000000,
             'unixepoch') AS eligible_at,
    t.payload_bytes, t.key, t.labels
  FROM store s, tasks t
  LEFT JOIN progress p ON p.task = t.id
  LEFT JOIN types ty ON ty.number = t.type
  LEFT JOIN tenants te ON te.number = t.tenant;

CREATE VIEW result_list AS
  SELECT r.task AS id, ty.name AS type, te.name AS tenant, r.uid,
    (SELECT name FROM words w WHERE w.kind = 'verdict' AND w.number = r.verdict) AS verdict,
    (SELECT name FROM words w WHERE w.kind = 'cause' AND w.number = r.cause) AS cause,
    r.round, r.attempt, r.failures, r.crashes, r.interruptions,
    datetime((r.accepted_at - s.instant + s.wall) / 1000000000, 'unixepoch') AS accepted_at,
    datetime((r.settled_at - s.instant + s.wall) / 1000000000, 'unixepoch') AS settled_at,
    (r.settled_at - r.started_at) / 1000000 AS run_ms, sl.name AS worker, r.bytes, r.key
  FROM store s, results r
  LEFT JOIN types ty ON ty.number = r.type
  LEFT JOIN tenants te ON te.number = r.tenant
  LEFT JOIN slots sl ON sl.number = r.slot;

CREATE VIEW attempt_list AS
  SELECT a.task AS id, a.position, a.round, a.attempt,
    (SELECT name FROM words w WHERE w.kind = 'cause' AND w.number = a.cause) AS cause,
    (SELECT name FROM words w WHERE w.kind = 'charge' AND w.number = a.charge) AS charge,
    a.code, sl.name AS worker, (a.ended_at - a.started_at) / 1000000 AS run_ms, a.error, a.output
  FROM attempts a LEFT JOIN slots sl ON sl.number = a.slot;
)sql";

// Rows whose body is in a file are few, and found without a pass over all of them.
inline constexpr char kSchemaVersion2[] = R"sql(
CREATE INDEX task_files ON tasks(file) WHERE file IS NOT NULL;
CREATE INDEX result_files ON results(file) WHERE file IS NOT NULL;
)sql";

// What an attempt's worker looked like before it was ended: JSON.
inline constexpr char kSchemaVersion3[] = "ALTER TABLE attempts ADD COLUMN autopsy TEXT;";

// Written anew with each one, so apart from what else is known of a task.
inline constexpr char kSchemaVersion4[] =
    "CREATE TABLE checkpoints(task INTEGER PRIMARY KEY, round INTEGER, attempt INTEGER, "
    "at INTEGER, content INTEGER, checksum INTEGER, body BLOB);";

// The class that alone runs it, by name: numbers are of one life.
inline constexpr char kSchemaVersion5[] = "ALTER TABLE progress ADD COLUMN bound TEXT;";

// The newest group of the journal that the tables have.
inline constexpr char kSchemaVersion6[] =
    "ALTER TABLE store ADD COLUMN journal INTEGER NOT NULL DEFAULT 0;";

// Whether a life has begun and not ended in order. In the file, and not in the WAL alone, from the
// first acknowledgement of a life on.
inline constexpr char kSchemaVersion7[] =
    "ALTER TABLE store ADD COLUMN open INTEGER NOT NULL DEFAULT 0;";

}  // namespace warmpool::daemon
