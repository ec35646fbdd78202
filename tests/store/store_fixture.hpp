// What stores are tested with: names, a clock that the test sets, records in a row.
#pragma once

#include <atomic>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "daemon/store/sqlite_store.hpp"
#include "tests/ipc/temporary_directory.hpp"

namespace warmpool::daemon {

// "type-3", "tenant-3", "slot-3". Numbers of another life begin elsewhere.
class FakeNames : public StoreNames {
 public:
  explicit FakeNames(std::uint32_t first = 0) : first_(first) {}

  std::string name_of(TypeId type) const override { return name("type-", type.value); }
  std::string name_of(TenantId tenant) const override { return name("tenant-", tenant.value); }
  std::string name_of(SlotId slot) const override { return name("slot-", slot.value); }
  std::string name_of(ClassId worker_class) const override {
    return name("class-", worker_class.value);
  }
  TypeId type_of(std::string_view name) override { return {number(name)}; }
  TenantId tenant_of(std::string_view name) override { return {number(name)}; }
  SlotId slot_of(std::string_view name) override {
    return {static_cast<std::uint16_t>(number(name))};
  }
  std::optional<ClassId> class_of(std::string_view name) const override {
    if (name == "class-9") return std::nullopt;  // which nobody configures any more
    return ClassId{static_cast<std::uint16_t>(number(name))};
  }
  void pause_absent(std::string_view name) override { absent.emplace_back(name); }
  Blob hold(ipc::UniqueFd fd, std::uint64_t bytes) override {
    return Blob(std::make_shared<const ipc::UniqueFd>(std::move(fd)), bytes);
  }

  std::vector<std::string> absent;  // and paused

 private:
  std::string name(std::string_view kind, std::uint32_t number) const {
    return std::string(kind) + std::to_string(number - first_);
  }
  std::uint32_t number(std::string_view name) const {
    const auto digits = name.find('-');
    if (digits == name.npos) return 0;
    return first_ + static_cast<std::uint32_t>(std::stoul(std::string(name.substr(digits + 1))));
  }

  std::uint32_t first_;
};

class FakeTime : public TimeSource {
 public:
  std::int64_t steady_ns() override { return steady.load(); }
  WallTime wall() override { return {wall_ns.load()}; }
  void pass(Duration duration) {
    steady += duration.ns;
    wall_ns += duration.ns;
  }

  std::atomic<std::int64_t> steady{seconds(100).ns};
  std::atomic<std::int64_t> wall_ns{seconds(1'700'000'000).ns};
};

// Sleeps until it has something to tell, or for 20 ms: a loop that only looks takes the time from
// the threads that it waits for.
void wait_for_news(const Store& store);

// One record after another, each a batch of its own.
class RecordDriver {
 public:
  explicit RecordDriver(Store& store) : store_(store) {}

  void keep(Record record, std::string_view body = {}, std::vector<std::string> output = {},
            std::unique_ptr<TaskTexts> texts = {});
  // In one batch, without bodies.
  void keep_together(const std::vector<Record>& records);
  // As keep(), of what has a file.
  void keep_file(Record record, std::string_view body, BodyFile file);
  void keep_file(Record record, Blob body, BodyFile file);
  void accept(std::uint64_t task, std::string_view payload, TaskSpec spec = {});
  void accept_with_key(std::uint64_t task, std::string_view payload, std::string_view key);
  void start(std::uint64_t task, std::uint16_t attempt, std::uint16_t round = 1);
  void end(std::uint64_t task, std::uint16_t attempt, std::string_view error,
           std::vector<std::string> output = {}, std::uint16_t round = 1);
  void settle(std::uint64_t task, Verdict verdict, std::string_view body, std::int64_t at = 5,
              std::uint16_t attempt = 1, std::uint16_t round = 1);
  RecordNumber last() const { return {last_}; }
  // Until everything so far is answered. False: it did not within 20 s, or the store broke.
  bool settled();
  std::optional<Error> broken;

 private:
  Store& store_;
  std::uint64_t last_ = 0;
  RecordNumber told_;
};

std::string text_of(const StoredTask& task);

// A store in a directory of its own, that can be closed and opened again.
class SqliteLives {
 public:
  SqliteLives();

  // A new life; the one before is closed first. Null: `error` says why.
  SqliteStore* open();
  SqliteStore* store() { return store_.get(); }
  void close() { store_.reset(); }
  // Another connection to the file. Order: not while a store is open for writing to it.
  Database raw();
  std::string path() const { return directory / kDatabaseName; }
  // Waits until the tables have this record. False: they do not within the usual patience.
  bool in_tables(RecordNumber record);

  ipc::test::TemporaryDirectory directory;
  FakeTime time;
  Options options = default_options();
  SchemaPlace place;
  std::vector<Record> replayed;
  SettledTotals totals{};
  Error error;
  bool renumbers = true;  // each life numbers its names anew

 private:
  std::unique_ptr<FakeNames> names_;
  std::unique_ptr<SqliteStore> store_;
  std::uint32_t lives_ = 0;
};

}  // namespace warmpool::daemon
