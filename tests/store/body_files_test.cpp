// Large bodies in files of their own: there before the record that names them, gone after it.
#include "daemon/store/body_files.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <poll.h>
#include <thread>

#include <gtest/gtest.h>
#include <xxhash.h>

#include "daemon/exit_status.hpp"
#include "daemon/store/restore.hpp"
#include "ipc/large_body.hpp"
#include "tests/store/store_fixture.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::daemon {
namespace {

const std::string kLarge(kBodyInRowMax + 1, 'x');

// Until `wanted` of an answer holds. None: it did not come.
template <class Wanted>
auto wait_for(SqliteStore& store, const Wanted& wanted) -> decltype(wanted(StoreAnswers{})) {
  const auto end = test::patience_ends();
  while (std::chrono::steady_clock::now() < end) {
    if (auto found = wanted(store.take_answers())) return found;
    pollfd waits{store.answers_fd(), POLLIN, 0};
    ::poll(&waits, 1, 10);
  }
  return {};
}

class BodyFilesTest : public testing::Test {
 protected:
  std::string directory() const { return bodies_directory(lives.path()); }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(directory(), none)) {
      found.push_back(entry.path().filename());
    }
    return found;
  }
  bool ends_without_files() const {
    const auto end = test::patience_ends();
    while (!names().empty() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    return names().empty();
  }
  void open() {
    ASSERT_NE(lives.open(), nullptr) << lives.error.text;
    driver.emplace(*lives.store());
  }
  BodyFile write(BodyKind kind, const std::string& body) {
    return write(kind, Blob(ipc::bytes_of(body)))->file;
  }
  std::optional<BodyEnded> write(BodyKind kind, const Blob& body, std::uint64_t seed = 0) {
    const auto begun = lives.store()->begin_body(kind, body, seed);
    EXPECT_TRUE(begun);
    auto ended =
        wait_for(*lives.store(), [](const StoreAnswers& answers) -> std::optional<BodyEnded> {
          if (answers.bodies.empty()) return std::nullopt;
          return answers.bodies.front();
        });
    EXPECT_TRUE(ended && ended->file == begun && ended->fault.empty());
    return ended;
  }
  void accept(std::uint64_t task, const std::string& payload) {
    TaskSpec spec;
    spec.payload_bytes = static_cast<std::uint32_t>(payload.size());
    driver->keep_file(record::Accepted{TaskId{task}, spec, Instant{1}, Instant{1}}, payload,
                      write(BodyKind::Payload, payload));
  }
  void finish(std::uint64_t task, const std::string& result) {
    record::Settled settled{};
    settled.task = TaskId{task};
    settled.round = settled.attempt = 1;
    settled.verdict = Verdict::Done;
    settled.cause = EndCause::Done;
    settled.at = Instant{5};
    driver->keep_file(settled, result, write(BodyKind::Result, result));
  }

  SqliteLives lives;
  std::optional<RecordDriver> driver;
};

TEST_F(BodyFilesTest, ASmallBodyHasNone) {
  open();
  EXPECT_FALSE(lives.store()->begin_body(BodyKind::Payload,
                                         Blob(ipc::bytes_of(kLarge).first(kBodyInRowMax)), 0));
  EXPECT_FALSE(std::filesystem::exists(directory()));
}

TEST_F(BodyFilesTest, PayloadAndResultComeBackFromTheirFiles) {
  open();
  accept(1, kLarge + "payload");
  accept(2, kLarge);
  finish(2, kLarge + "result");
  ASSERT_TRUE(driver->settled());
  lives.close();
  EXPECT_EQ(names().size(), 2U) << "the payload of what is done is gone";
  EXPECT_EQ(std::filesystem::status(directory()).permissions(), std::filesystem::perms::owner_all);
  {
    auto raw = lives.raw();
    EXPECT_EQ(*raw.integer("SELECT length(payload) FROM tasks"), 0);
    EXPECT_EQ(*raw.integer("SELECT length(body) FROM results"), 0);
  }
  open();
  EXPECT_TRUE(lives.store()->damaged().empty());
  EXPECT_EQ(text_of(*lives.store()->find(TaskId{1})), kLarge + "payload");
  EXPECT_EQ(text_of(*lives.store()->find(TaskId{2})), kLarge + "result");
  EXPECT_EQ(lives.store()->figures().result_bytes, kLarge.size() + 6);
  ASSERT_TRUE(lives.store()->drop(TaskId{2}));
  driver->settle(1, Verdict::Done, "small");
  ASSERT_TRUE(driver->settled());
  EXPECT_TRUE(ends_without_files());
}

Blob by_descriptor(const std::string& bytes) {
  auto sealed = ipc::sealed_copy(ipc::bytes_of(bytes));
  return Blob(std::make_shared<const ipc::UniqueFd>(std::move(*sealed)), bytes.size());
}

std::string bytes_of_descriptor(const Blob& body) {
  const auto fd = body.descriptor();
  if (!fd) return "it is not by descriptor";
  const auto view = ipc::LargeView::of(fd->get(), body.size());
  return view ? std::string(ipc::text_of(view->bytes())) : view.error().text;
}

TEST_F(BodyFilesTest, WhatCameByDescriptorIsCopiedAndComesBackAsOne) {
  open();
  const std::string payload = std::string(3U << 20, 'p') + "end", result = "small result";
  const auto kept = write(BodyKind::Payload, by_descriptor(payload), 7);
  EXPECT_EQ(kept->digest, XXH3_64bits_withSeed(payload.data(), payload.size(), 7));
  TaskSpec spec;
  spec.payload_bytes = static_cast<std::uint32_t>(payload.size());
  for (const std::uint64_t task : {std::uint64_t{1}, std::uint64_t{2}}) {
    driver->keep_file(record::Accepted{TaskId{task}, spec, Instant{1}, Instant{1}},
                      by_descriptor(payload),
                      write(BodyKind::Payload, by_descriptor(payload))->file);
  }
  record::Settled settled{};
  settled.task = TaskId{2};
  settled.round = settled.attempt = 1;
  settled.verdict = Verdict::Done;
  settled.cause = EndCause::Done;
  settled.at = Instant{5};
  driver->keep_file(settled, by_descriptor(result),
                    write(BodyKind::Result, by_descriptor(result))->file);
  lives.store()->drop_body(kept->file);
  ASSERT_TRUE(driver->settled());
  lives.close();
  EXPECT_EQ(names().size(), 2U) << "the payload of what is done is gone, and what was dropped";
  for (int life = 0; life < 2; ++life) {
    open();
    EXPECT_TRUE(lives.store()->damaged().empty());
    EXPECT_EQ(bytes_of_descriptor(*lives.store()->find(TaskId{1})->body), payload);
    EXPECT_EQ(bytes_of_descriptor(*lives.store()->find(TaskId{2})->body), result);
    lives.close();
  }
  std::filesystem::resize_file(directory() + "/" + names().front(), 5);
  open();
  EXPECT_EQ(lives.store()->damaged().size(), 1U) << "one that became shorter is not handed out";
}

TEST_F(BodyFilesTest, WhatCameByDescriptorIsHeldAgainstItsChecksum) {
  for (const std::size_t bytes : {std::size_t{1000}, std::size_t{kBodyInMemoryMax + 4096}}) {
    SCOPED_TRACE(bytes);
    open();
    const std::string payload(bytes, 'p');
    TaskSpec spec;
    spec.payload_bytes = static_cast<std::uint32_t>(bytes);
    const auto task = TaskId{lives.store()->life() << 40 | 1};
    const auto written = write(BodyKind::Payload, by_descriptor(payload));
    driver->keep_file(record::Accepted{task, spec, Instant{1}, Instant{1}}, by_descriptor(payload),
                      written->file);
    ASSERT_TRUE(driver->settled());
    open();
    EXPECT_EQ(std::ranges::count(lives.store()->damaged(), task), 0);
    EXPECT_EQ(bytes_of_descriptor(*lives.store()->find(task)->body), payload);
    lives.close();
    std::fstream file(directory() + "/" + body_name(written->file), std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(bytes / 2)).put('q');
    file.close();
    open();
    EXPECT_EQ(std::ranges::count(lives.store()->damaged(), task), 1);
    lives.close();
  }
}

TEST_F(BodyFilesTest, AFileGoesOnlyWhenItsRowIsGoneFromTheDisk) {
  open();
  accept(1, kLarge);
  ASSERT_TRUE(driver->settled());
  driver->settle(1, Verdict::Dead, "no");
  ASSERT_TRUE(driver->settled());
  EXPECT_EQ(names().size(), 1U) << "a dead letter keeps its payload";
  driver->keep(record::Removed{TaskId{1}, false, Instant{9}});
  ASSERT_TRUE(driver->settled());
  EXPECT_TRUE(ends_without_files());
}

// From a file to another, from there into the row, and back to a file: all in one go, and each by
// itself.
TEST_F(BodyFilesTest, OfAPayloadThatIsReplacedTheFileGoes) {
  for (const bool at_once : {true, false}) {
    open();
    const std::uint64_t task = at_once ? 1 : 2;
    accept(task, kLarge);
    std::uint16_t round = 1;
    for (const auto& payload : {kLarge + "second", std::string("third"), kLarge + "fourth"}) {
      driver->settle(task, Verdict::Dead, "no", 5, 0, round++);
      ASSERT_TRUE(at_once || driver->settled());
      const record::Revived revived{TaskId{task}, round, Instant{6}, Instant{6},
                                    static_cast<std::uint32_t>(payload.size())};
      if (payload.size() > kBodyInRowMax) {
        driver->keep_file(revived, payload, write(BodyKind::Payload, payload));
      } else {
        driver->keep(revived, payload);
      }
      ASSERT_TRUE(at_once || driver->settled());
    }
    ASSERT_TRUE(driver->settled());
    lives.close();
    EXPECT_EQ(names().size(), 1U);
    open();
    EXPECT_TRUE(lives.store()->damaged().empty());
    EXPECT_EQ(text_of(*lives.store()->find(TaskId{task})), kLarge + "fourth");
    driver->settle(task, Verdict::Done, "small", 7, 0, round);
    ASSERT_TRUE(driver->settled());
    EXPECT_TRUE(ends_without_files());
  }
}

TEST_F(BodyFilesTest, OfAResultThatIsCleanedItGoesThoughNothingElseIsWritten) {
  open();
  accept(1, kLarge);
  finish(1, kLarge);
  ASSERT_TRUE(driver->settled());
  ASSERT_TRUE(lives.store()->drop(TaskId{1}));
  std::vector<StoreEntry> none;
  lives.store()->apply(none);
  const auto end = test::patience_ends();
  while (!names().empty() && std::chrono::steady_clock::now() < end) {
    lives.time.pass(seconds(1));
    std::this_thread::yield();
  }
  EXPECT_TRUE(names().empty());
}

TEST_F(BodyFilesTest, WhatNobodyWantsIsDropped) {
  open();
  lives.store()->drop_body(write(BodyKind::Payload, kLarge));
  EXPECT_TRUE(ends_without_files());
}

TEST_F(BodyFilesTest, AStartRemovesWhatNoRowNamesAndNothingElse) {
  open();
  accept(1, kLarge);
  ASSERT_TRUE(driver->settled());
  (void)write(BodyKind::Payload, kLarge);
  lives.close();
  ASSERT_EQ(names().size(), 2U);
  std::ofstream(directory() + "/42.payload.part") << "half";
  std::ofstream(directory() + "/notes.txt") << "mine";
  open();
  EXPECT_EQ(names().size(), 2U);
  EXPECT_TRUE(std::filesystem::exists(directory() + "/notes.txt"));
  EXPECT_EQ(text_of(*lives.store()->find(TaskId{1})), kLarge);
}

TEST_F(BodyFilesTest, AMissingOrShorterOrChangedPayloadIsADeadLetterThatSaysSo) {
  for (const std::string said : {"cannot open", "bytes and should have", "checksum"}) {
    SCOPED_TRACE(said);
    open();
    const auto task = lives.store()->life();  // another one each time
    accept(task, kLarge);
    ASSERT_TRUE(driver->settled());
    const auto all = names();
    const auto file = directory() + "/" + *std::ranges::max_element(all);
    lives.close();
    if (said == "cannot open") std::filesystem::remove(file);
    if (said == "bytes and should have") std::filesystem::resize_file(file, 10);
    if (said == "checksum") std::ofstream(file) << std::string(kLarge.size(), 'y');
    open();
    EXPECT_EQ(lives.store()->damaged().back(), TaskId{task});
    const auto stored = lives.store()->find(TaskId{task});
    ASSERT_TRUE(stored && stored->verdict == Verdict::Dead);
    EXPECT_NE(stored->error->find(said), std::string::npos) << *stored->error;
    EXPECT_TRUE(stored->payload_lost);
    lives.close();
  }
}

TEST_F(BodyFilesTest, OneThatCannotBeOpenedNowRefusesTheStartAndBuriesNothing) {
  open();
  accept(1, kLarge);
  ASSERT_TRUE(driver->settled());
  const auto file = directory() + "/" + names().front();
  lives.close();
  std::filesystem::rename(file, file + ".away");
  std::filesystem::create_symlink(file + ".away", file);  // ELOOP stands for EMFILE and EIO
  EXPECT_EQ(lives.open(), nullptr);
  EXPECT_EQ(lives.error.code, static_cast<int>(ExitStatus::StoreFailed)) << lives.error.text;
  EXPECT_NE(lives.error.text.find(file), std::string::npos) << lives.error.text;
  lives.close();
  std::filesystem::rename(file + ".away", file);
  open();
  EXPECT_TRUE(lives.store()->damaged().empty());
  EXPECT_EQ(text_of(*lives.store()->find(TaskId{1})), kLarge);
}

TEST_F(BodyFilesTest, AResultWhoseFileIsGoneIsLostAndNamed) {
  open();
  accept(1, kLarge);
  finish(1, kLarge);
  ASSERT_TRUE(driver->settled());
  lives.close();
  std::filesystem::remove(directory() + "/" + names().front());
  open();
  EXPECT_EQ(lives.store()->damaged(), std::vector{TaskId{1}});
  EXPECT_FALSE(lives.store()->find(TaskId{1}));
}

TEST_F(BodyFilesTest, WithoutADirectoryItIsSaidAndTheBodyGoesIntoItsRow) {
  std::ofstream(directory()) << "in the way";
  open();
  const auto begun = lives.store()->begin_body(BodyKind::Payload, Blob(ipc::bytes_of(kLarge)), 0);
  const auto fault =
      wait_for(*lives.store(), [](const StoreAnswers& answers) -> std::optional<std::string> {
        if (answers.bodies.empty()) return std::nullopt;
        return answers.bodies.front().fault;
      });
  EXPECT_TRUE(begun);
  ASSERT_TRUE(fault);
  EXPECT_NE(fault->find(directory()), std::string::npos) << *fault;
  driver->accept(1, kLarge);
  ASSERT_TRUE(driver->settled());
  lives.close();
  open();
  EXPECT_EQ(text_of(*lives.store()->find(TaskId{1})), kLarge);
}

TEST_F(BodyFilesTest, ABackupIsOneFileThatHoldsThemAndARestoreBringsThemBack) {
  open();
  accept(1, kLarge + "payload");
  accept(2, kLarge);
  finish(2, kLarge + "result");
  ASSERT_TRUE(driver->settled());
  const auto file = lives.directory / "copy.db";
  ASSERT_TRUE(lives.store()->begin_backup(file));
  // What goes meanwhile is in it all the same.
  driver->settle(1, Verdict::Done, "small");
  const auto ended =
      wait_for(*lives.store(), [](const StoreAnswers& answers) { return answers.backup; });
  ASSERT_TRUE(ended && *ended);
  lives.close();
  ASSERT_TRUE(restore_store(lives.place, file));
  EXPECT_TRUE(names().empty());
  open();
  EXPECT_TRUE(lives.store()->damaged().empty());
  const auto first = text_of(*lives.store()->find(TaskId{1}));
  EXPECT_TRUE(first == kLarge + "payload" || first == "small") << "one moment of the store";
  EXPECT_EQ(text_of(*lives.store()->find(TaskId{2})), kLarge + "result");
}

TEST_F(BodyFilesTest, AStoreOfTheVersionBeforeKeepsItsLargeBodiesInItsRows) {
  const auto newest = schema_migrations();
  lives.place.migrations = newest.first(1);
  lives.renumbers = false;
  {
    auto old = open_store_database(lives.place);
    ASSERT_TRUE(old);
    ASSERT_EQ(*old->integer("PRAGMA user_version"), 1);
  }
  lives.place.migrations = newest;
  open();
  driver->accept(1, kLarge);
  ASSERT_TRUE(driver->settled());
  lives.close();
  EXPECT_EQ(*lives.raw().integer("PRAGMA user_version"), static_cast<int>(newest.size()));
  open();
  EXPECT_EQ(text_of(*lives.store()->find(TaskId{1})), kLarge);
}

}  // namespace
}  // namespace warmpool::daemon
