#include "tests/store/store_fixture.hpp"

#include <chrono>
#include <poll.h>
#include <unistd.h>

#include "tests/support/patience.hpp"

namespace warmpool::daemon {

void wait_for_news(const Store& store) {
  std::uint64_t count = 0;
  pollfd waits{store.answers_fd(), POLLIN, 0};
  if (::poll(&waits, 1, 20) == 1) (void)!::read(waits.fd, &count, sizeof count);
}

void RecordDriver::keep(Record record, std::string_view body, std::vector<std::string> output,
                        std::unique_ptr<TaskTexts> texts) {
  StoreEntry entry{RecordNumber{++last_}, std::move(record), {}};
  entry.attachment.body = Blob(ipc::bytes_of(body));
  entry.attachment.content = Content::Utf8;
  entry.attachment.uid = 7;
  entry.attachment.texts = std::move(texts);
  if (!output.empty()) {
    entry.attachment.texts = std::make_unique<TaskTexts>();
    entry.attachment.texts->output = std::move(output);
  }
  std::vector<StoreEntry> batch;
  batch.push_back(std::move(entry));
  store_.apply(batch);
  EXPECT_TRUE(batch.empty());
}

void RecordDriver::keep_together(const std::vector<Record>& records) {
  std::vector<StoreEntry> batch;
  for (const auto& record : records) batch.push_back({RecordNumber{++last_}, record, {}});
  store_.apply(batch);
}

void RecordDriver::keep_file(Record record, std::string_view body, BodyFile file) {
  keep_file(std::move(record), Blob(ipc::bytes_of(body)), file);
}

void RecordDriver::keep_file(Record record, Blob body, BodyFile file) {
  StoreEntry entry{RecordNumber{++last_}, std::move(record), {}};
  entry.attachment.body = std::move(body);
  entry.attachment.file = file;
  std::vector<StoreEntry> batch;
  batch.push_back(std::move(entry));
  store_.apply(batch);
}

void RecordDriver::accept(std::uint64_t task, std::string_view payload, TaskSpec spec) {
  spec.payload_bytes = static_cast<std::uint32_t>(payload.size());
  keep(record::Accepted{TaskId{task}, spec, Instant{1}, Instant{1}}, payload);
}

void RecordDriver::accept_with_key(std::uint64_t task, std::string_view payload,
                                   std::string_view key) {
  TaskSpec spec;
  spec.key = IdempotencyKey{task, task, task};
  spec.payload_bytes = static_cast<std::uint32_t>(payload.size());
  auto texts = std::make_unique<TaskTexts>();
  texts->key = key;
  texts->labels = {"one", "two\nlines"};
  keep(record::Accepted{TaskId{task}, spec, Instant{1}, Instant{1}}, payload, {}, std::move(texts));
}

void RecordDriver::start(std::uint64_t task, std::uint16_t attempt, std::uint16_t round) {
  keep(record::Started{TaskId{task}, round, attempt, WorkerId{5}, SlotId{2}, Instant{2}});
}

void RecordDriver::end(std::uint64_t task, std::uint16_t attempt, std::string_view error,
                       std::vector<std::string> output, std::uint16_t round) {
  const record::Used used{attempt, 0, 0};
  keep(record::Ended{TaskId{task}, round, attempt, WorkerId{5}, EndCause::Failed, Charge::Failure,
                     0, used, Instant{3}, Instant{4}, false, false},
       error, std::move(output));
}

void RecordDriver::settle(std::uint64_t task, Verdict verdict, std::string_view body,
                          std::int64_t at, std::uint16_t attempt, std::uint16_t round) {
  const auto cause = verdict == Verdict::Done ? EndCause::Done : EndCause::Failed;
  keep(record::Settled{TaskId{task},
                       round,
                       attempt,
                       WorkerId{5},
                       verdict,
                       cause,
                       Charge::Nothing,
                       0,
                       {},
                       Instant{at}},
       body);
}

bool RecordDriver::settled() {
  const auto end = test::patience_ends();
  while (told_.value < last_) {
    auto answers = store_.take_answers();
    if (answers.persisted) told_ = *answers.persisted;
    if (answers.broken) broken = std::move(answers.broken);
    if (broken || std::chrono::steady_clock::now() > end) return false;
    if (told_.value < last_ && !answers.undone) wait_for_news(store_);
  }
  return true;
}

std::string text_of(const StoredTask& task) {
  return std::string(ipc::text_of(task.body->bytes()));
}

SqliteLives::SqliteLives() { place.path = path(); }

SqliteStore* SqliteLives::open() {
  store_.reset();
  replayed.clear();
  names_ = std::make_unique<FakeNames>(renumbers ? 100 * lives_++ : 0);
  auto opened = SqliteStore::open({place, options, &time, 1});
  if (!opened) return error = opened.error(), nullptr;
  store_ = std::move(*opened);
  const auto recovered =
      store_->recover(*names_, [this](const Record& record) { replayed.push_back(record); });
  if (!recovered) return error = recovered.error(), store_.reset(), nullptr;
  totals = *recovered;
  return store_.get();
}

bool SqliteLives::in_tables(RecordNumber record) {
  for (const auto end = test::patience_ends(); std::chrono::steady_clock::now() < end;) {
    auto database = Database::open(path(), OpenMode::ReadOnly, place.vfs);
    const auto kept = database ? database->integer("SELECT record FROM store") : database.error();
    if (kept && *kept >= static_cast<std::int64_t>(record.value)) return true;
    wait_for_news(*store_);
  }
  return false;
}

Database SqliteLives::raw() {
  auto database = Database::open(path(), OpenMode::ReadWrite, "");
  REQUIRE(database);
  return std::move(*database);
}

}  // namespace warmpool::daemon
