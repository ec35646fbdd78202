// The port behind which accepted tasks, results and histories are kept. The volatile store and the
// one on disk answer alike: late, by number, so that nothing can come to rely on speed.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/store/blob.hpp"
#include "daemon/store/body_file.hpp"
#include "daemon/store/checkpoints.hpp"
#include "daemon/store/store_names.hpp"
#include "pool/first_ids.hpp"
#include "pool/options.hpp"
#include "pool/record.hpp"
#include "pool/result.hpp"

namespace warmpool::daemon {

// Rare texts of a task, so that one without them pays a pointer.
struct TaskTexts {
  std::string key;
  std::vector<std::string> labels;
  std::vector<std::string> output;  // last lines of the worker that died
  std::string autopsy;              // a JSON document; empty: none was made
};

// What the daemon knows beside the record. Of Accepted: the payload, who sent it, texts. Of Revived
// with another payload: that. Of Checkpointed: the checkpoint. Of Settled as done: the result. Of
// other ends: the error text, and output where the worker died.
struct Attachment {
  Blob body;
  BodyFile file;  // that holds `body`, from begin_body()
  Content content = Content::Bytes;
  bool keep_result = false;
  std::uint32_t uid = 0;
  std::unique_ptr<TaskTexts> texts;
};

struct StoreEntry {
  RecordNumber number;
  Record record;
  Attachment attachment;
};

struct AttemptEntry {
  std::uint16_t round = 0, attempt = 0;
  EndCause cause{};
  Charge charge{};
  std::int32_t code = 0;
  SlotId slot;
  WorkerId worker;
  Instant started_at, ended_at;
  std::string error;                // at most kErrorKeptMax bytes
  std::vector<std::string> output;  // of the newest few failed ones
  std::string autopsy;              // JSON, at most kAutopsyBytesMax; of the newest few with one
};

// A list of finished tasks that is made in pieces: with this verdict or any, of this type or any.
struct FinishedScan {
  FinishedScan(TaskId after, std::size_t limit, std::optional<Verdict> with,
               std::optional<TypeId> of)
      : ids(after, limit), verdict(with), type(of) {}
  FirstIds ids;
  std::optional<Verdict> verdict;
  std::optional<TypeId> type;
  std::uint32_t next = 0;  // row
};

// One task as the store knows it. Owns: nothing; valid until the next apply().
struct StoredTask {
  TaskId task;
  TypeId type;
  TenantId tenant;
  std::uint32_t uid = 0;
  std::uint16_t round = 0, attempt = 0;
  std::optional<Verdict> verdict;  // none: not settled in this round
  EndCause cause{};
  record::Used used;
  Instant accepted_at, started_at, settled_at;
  Content content{};           // of body
  Durability durability{};     // that it has, whatever was asked for
  const Blob* body = nullptr;  // the payload; of a done one the result. Never null
  bool result_gone = false;    // of a done one: received, and not to be kept
  bool payload_lost = false;   // it is not what was stored: only with another one may it run
  std::uint32_t payload_bytes = 0;
  SlotId slot;                                          // of the last attempt
  const TaskTexts* texts = nullptr;                     // null: none
  const std::string* error = nullptr;                   // last error; null: none
  const std::vector<AttemptEntry>* attempts = nullptr;  // null: at most one, as above says
  std::uint32_t attempts_dropped = 0;                   // from the middle of the history
  const Checkpoint* checkpoint = nullptr;               // for its next attempt; null: none
};

struct StoreFigures {
  std::string name;
  bool durable = false;  // what it keeps outlives the process
  std::uint64_t live = 0, finished = 0, dead = 0;
  std::uint64_t payload_bytes = 0, result_bytes = 0;
  std::uint64_t results_dropped = 0;  // because of a bound
  std::uint64_t checkpoints = 0, checkpoint_bytes = 0, checkpoints_dropped = 0;  // likewise
  std::uint64_t records = 0, batches = 0;
  // Of a store on disk: groups, and those of them that were synced; what waits in the WAL; why
  // nothing can be written, or empty; for how long a group has been on its way.
  std::uint64_t commits = 0, syncs = 0, wal_bytes = 0;
  std::uint64_t ahead = 0;      // turns that were given and are not in the tables yet
  std::string journal_trouble;  // why acknowledgements wait for the tables; empty: they do not
  std::string trouble;
  Duration stalled;
};

struct BackupFigures {
  std::uint64_t bytes = 0;  // of all its files
  // Tasks whose payload or result is not in it, because its file is missing or damaged.
  std::vector<TaskId> left_out;
  Duration took;
};

// `backup`: the one that was begun has ended. `persisted`: the newest number that is kept with all
// before it. `accepting`: since it changed. `undone`: of what was given and is not kept nothing is
// on disk; it comes there in one transaction with what is given before the next take_answers().
// `broken`: it cannot go on; the daemon ends with Error::code as its exit status. `slower`: why
// acknowledgements wait for the tables from now on; empty: they do not again.
struct StoreAnswers {
  std::optional<RecordNumber> persisted;
  std::optional<bool> accepting;
  bool undone = false;
  std::optional<Error> broken;
  std::optional<std::string> slower;
  std::optional<Result<BackupFigures>> backup;
  std::vector<BodyEnded> bodies;
};

// Rounds by Verdict since the store was made.
using SettledTotals = std::array<std::uint64_t, 5>;

// Order: entries in the order of their numbers. Threads: one.
class Store {
 public:
  virtual ~Store() = default;

  // What earlier lives left: each record in an order in which the core may replay them.
  // Order: once, before apply(). `names` outlives the store. Blocks: until all of it is read.
  using Replay = std::function<void(const Record&)>;
  virtual Result<SettledTotals> recover(StoreNames& names, const Replay& replay) = 0;

  // Tasks of earlier lives whose payload or result is not what was stored.
  virtual std::vector<TaskId> damaged() const { return {}; }
  // What else was found of earlier lives that somebody should hear of: sentences for the log.
  virtual std::vector<std::string> found() const { return {}; }

  // Takes what is in `batch` and leaves it empty. Blocks: never.
  virtual void apply(std::vector<StoreEntry>& batch) = 0;
  // What happened since the last call.
  virtual StoreAnswers take_answers() = 0;
  // Writes what is left. Order: the last call. Errors: what could not be; Error::code is the
  // ExitStatus. Blocks: until it is written, or refused once more.
  virtual Result<void> close() { return {}; }
  // An eventfd that is written when there are answers that came after apply(); -1: none do.
  virtual int answers_fd() const { return -1; }

  // Null: no such task. The answer holds all that apply() was given, kept or not.
  virtual std::optional<StoredTask> find(TaskId task) const = 0;
  // Of finished tasks (not dead letters), over at most `rows` a call. Returns whether it is
  // through.
  virtual bool scan_finished(FinishedScan& scan, std::uint32_t rows) const = 0;
  // Begins to write a large body to a file, before its record is made; the end of it comes with the
  // answers. 0: it is to come with its record. What is begun goes to apply() or to drop_body(). One
  // by descriptor is copied whatever its size; `seed`: of its digest. Blocks: never.
  virtual BodyFile begin_body(BodyKind, const Blob&, std::uint64_t) { return {}; }
  virtual void drop_body(BodyFile) {}
  // Its submitter has the result: unless it is to be kept, it goes.
  virtual void received(TaskId task) = 0;
  // Finished tasks (not dead letters) that settled before, with this verdict or any. Cost: as many
  // as there are.
  virtual std::vector<TaskId> settled_before(Instant before,
                                             std::optional<Verdict> verdict) const = 0;
  // Drops a finished task with its result and history. False: there is none.
  virtual bool drop(TaskId task) = 0;
  // Makes a copy of all that is kept in the file `path`, where nothing may be. The end of it comes
  // with the answers. Errors: it is not begun. Blocks: never.
  virtual Result<void> begin_backup(const std::string& path) = 0;
  // Drops what is over age.
  virtual void trim(Instant now) = 0;
  virtual void set_bounds(const Options& options) = 0;
  virtual StoreFigures figures() const = 0;
};

inline constexpr std::size_t kErrorKeptMax = 256;        // of every attempt
inline constexpr std::size_t kLastErrorKeptMax = 4096;   // of the last
inline constexpr std::size_t kOutputKeptMax = 2048;      // bytes of output lines of one attempt
inline constexpr std::size_t kOutputsKept = 4;           // attempts with output
inline constexpr std::size_t kAutopsyBytesMax = 16'384;  // of one attempt
inline constexpr std::size_t kAutopsiesKept = 4;         // attempts with one
inline constexpr std::size_t kFirstAttemptsKept = 8, kLastAttemptsKept = 56;

}  // namespace warmpool::daemon
