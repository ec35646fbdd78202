// What the store thread is to write: records with what the tables hold beside them. Numbers of
// types, tenants and slots are the store's own here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/store/blob.hpp"
#include "daemon/store/body_file.hpp"
#include "pool/options.hpp"
#include "pool/record.hpp"

namespace warmpool::daemon {

enum class NameKind : std::uint8_t { Type, Tenant, Slot };

// A row of a task's history.
struct AttemptRow {
  std::uint32_t position = 0;  // in the whole history, from 0
  std::uint32_t slot = 0;
  Instant started_at;
  std::string error, output, autopsy;
  bool drops = false;  // an older one, to stay within bounds
  std::uint32_t dropped = 0;
};

// What its row says of a body that is in a file, where the bytes are not at hand.
struct BodyInFile {
  std::uint64_t bytes = 0, checksum = 0;
};

struct KeyText {
  std::string key, labels;  // labels: a JSON list, empty for none
};

namespace change {

// Order: before the first change that uses the number.
struct Named {
  NameKind kind;
  std::uint32_t number;
  std::string name;
};

struct Added {
  record::Accepted record;
  std::uint32_t type, tenant, uid;
  Content content;
  bool keep_result;
  Blob body;
  BodyFile file;
  std::unique_ptr<KeyText> texts;
  std::optional<BodyInFile> in_file{};
};

struct Started {
  record::Started record;
  std::uint32_t slot;
};

struct Ended {
  record::Ended record;
  std::unique_ptr<AttemptRow> attempt;
  std::string bound;  // the class that it is bound to; empty: none
};

struct Buried {
  record::Settled record;
  std::unique_ptr<AttemptRow> attempt;  // null: it never ran in this round
};

struct Finished {
  record::Settled record;
  std::uint32_t slot;
  Instant started_at;
  std::uint32_t attempts;  // rows of its history
  Content content;         // of the result
  bool has_key;            // one that lasts
  Blob body;               // the result
  BodyFile file;
  std::unique_ptr<AttemptRow> attempt;  // null: a plain end, which the result's row tells
  std::optional<BodyInFile> in_file{};
};

// `record.payload_bytes`: with another payload, which is what follows.
struct Revived {
  record::Revived record;
  Content content;
  Blob body;
  BodyFile file;
  std::optional<BodyInFile> in_file{};
};

// In place of the one before.
struct Checkpointed {
  record::Checkpointed record;
  Content content;
  Blob body;
};

// It is of no use any more, or had to make room.
struct CheckpointGone {
  TaskId task;
};

struct Paused {
  PauseScope scope;
  std::string name;  // of the type or the class
  bool paused;
};

// The submitter has the result.
struct Received {
  TaskId task;
};

// A finished task goes before its time, because somebody asked.
struct Cleaned {
  TaskId task;
};

}  // namespace change

using Change = std::variant<change::Named, change::Added, change::Started, change::Ended,
                            change::Buried, change::Finished, change::Revived, record::Released,
                            record::Removed, change::Paused, change::Received, change::Cleaned,
                            record::Kept, change::Checkpointed, change::CheckpointGone>;

// What a batch needs before it may be told as kept: nothing, to be written, to be synced.
enum class Demand : std::uint8_t { Later, Written, Synced };

// All changes of one turn. Order: batches and the changes in them are written in order. Starts and
// receipts may come later; a start that something of its task has overtaken need not come at all.
struct ChangeBatch {
  std::vector<Change> changes;
  std::vector<change::Started> starts;
  std::vector<change::Received> receipts;
  RecordNumber through;
  Demand demand = Demand::Later;
  std::size_t bytes = 0;               // of bodies
  std::uint64_t journal = 0;           // the group of the journal that it is in; 0: in none
  Demand starts_need = Demand::Later;  // Synced: at once
  bool empty() const { return changes.empty() && starts.empty() && receipts.empty(); }
};

// What is kept on disk of settled tasks and of their keys.
struct DiskBounds {
  std::uint64_t results_max = 0, results_bytes_max = 0, keys_max = 0;
  Duration results_age_max, keys_age_max;
};

inline DiskBounds disk_bounds_of(const Options& options) {
  return {options.results_max, options.results_bytes_max, options.keys_max, options.results_age_max,
          options.keys_age_max};
}

}  // namespace warmpool::daemon
