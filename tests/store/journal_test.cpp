// Changes as bytes, and the file of groups of them.
#include "daemon/store/journal.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "daemon/store/change_codec.hpp"
#include "daemon/store/schema.hpp"
#include "tests/ipc/temporary_directory.hpp"
#include "tests/store/fault_vfs.hpp"

namespace warmpool::daemon {
namespace {

namespace fs = std::filesystem;

// --- bytes ---

std::string encoded(const Change& change) {
  std::string bytes;
  encode_change(change, bytes);
  return bytes;
}

std::vector<Change> one_of_each() {
  const record::Used used{1, 2, 3, 4, 5};
  TaskSpec spec;
  spec.type = {7};
  spec.tenant = {300};
  spec.payload_bytes = 5;
  spec.run_at = {-12};
  spec.key = IdempotencyKey{~0ULL, 1, 1ULL << 63, KeyUse::Reconnect};
  const auto attempt = [] {
    auto row = std::make_unique<AttemptRow>();
    row->position = 9;
    row->slot = 3;
    row->started_at = {77};
    row->error = "no";
    row->output = std::string(300, 'x');
    row->autopsy = "{}";
    row->drops = true;
    row->dropped = 8;
    return row;
  };
  const auto blob = [](std::string_view text) { return Blob(ipc::bytes_of(text)); };
  const TaskId task{1ULL << 40 | 3};
  const record::Settled settled{
      task,          2,  3,    WorkerId{4}, Verdict::Dead, EndCause::Crashed,
      Charge::Crash, -9, used, Instant{5}};
  auto texts = std::make_unique<KeyText>();
  texts->key = "key";
  texts->labels = "[\"a\"]";
  std::vector<Change> all;
  all.emplace_back(change::Named{NameKind::Slot, 128, "slot"});
  all.emplace_back(change::Added{{task, spec, Instant{-1}, Instant{INT64_MAX}},
                                 1,
                                 2,
                                 ~0U,
                                 Content::Msgpack,
                                 true,
                                 blob("bytes"),
                                 {},
                                 std::move(texts)});
  all.emplace_back(change::Started{{task, 1, 2, WorkerId{3}, SlotId{4}, Instant{5}}, 6});
  all.emplace_back(change::Ended{{task, 1, 2, WorkerId{3}, EndCause::Timeout, Charge::Failure, 1,
                                  used, Instant{5}, Instant{6}, true, true, ClassId{2}},
                                 attempt(),
                                 "class"});
  all.emplace_back(change::Buried{settled, nullptr});
  all.emplace_back(change::Finished{settled, 1, Instant{2}, 3, Content::Json, true, blob(""),
                                    BodyFile{4}, attempt()});
  all.emplace_back(
      change::Revived{{task, 3, Instant{1}, Instant{2}, 6}, Content::Utf8, blob("other"), {}});
  all.emplace_back(record::Released{task, Instant{1}, Instant{2}});
  all.emplace_back(record::Removed{task, true, Instant{2}});
  all.emplace_back(change::Paused{PauseScope::Class, "class", true});
  all.emplace_back(change::Received{task});
  all.emplace_back(change::Cleaned{task});
  all.emplace_back(record::Kept{task});
  all.emplace_back(change::Checkpointed{{task, 1, 2, 3, Instant{4}}, Content::Bytes, blob("abc")});
  all.emplace_back(change::CheckpointGone{task});
  return all;
}

TEST(ChangeCodec, EveryKindComesBack) {
  const auto all = one_of_each();
  ASSERT_EQ(all.size(), std::variant_size_v<Change>);
  for (std::size_t kind = 0; kind < all.size(); ++kind) {
    ASSERT_EQ(all[kind].index(), kind);
    const auto bytes = encoded(all[kind]);
    auto from = ipc::bytes_of(bytes);
    Change back = change::Received{};
    ASSERT_TRUE(decode_change(from, back)) << kind;
    EXPECT_TRUE(from.empty()) << kind;
    EXPECT_EQ(encoded(back), bytes) << kind;
  }
}

TEST(ChangeCodec, WhatIsCutIsRefused) {
  for (const auto& change : one_of_each()) {
    const auto bytes = encoded(change);
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      auto from = ipc::bytes_of(bytes).first(length);
      Change back = change::Received{};
      EXPECT_FALSE(decode_change(from, back)) << change.index() << ' ' << length;
    }
  }
}

TEST(ChangeCodec, WhatNoTableHasIsRefused) {
  const auto refuses = [](std::string_view bytes) {
    auto from = ipc::bytes_of(bytes);
    Change back = change::Received{};
    return !decode_change(from, back);
  };
  EXPECT_TRUE(refuses("\x0f")) << "a kind";
  EXPECT_TRUE(refuses({"\x09\x03\x00\x01", 4})) << "a scope";
  EXPECT_TRUE(refuses({"\x09\x00\x00\x02", 4})) << "a flag";
  EXPECT_TRUE(refuses({"\x00\x03\x01\x00", 4})) << "a kind of names";
  EXPECT_TRUE(refuses("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")) << "65 bits";
  EXPECT_FALSE(refuses("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
}

// --- the file ---

struct Told {
  std::vector<std::uint64_t> sequences;
  std::vector<std::string> names;
  bool cut = false;
};

class JournalFiles : public testing::Test {
 protected:
  Journal begin(std::uint64_t life, std::uint64_t bytes) {
    auto begun = Journal::begin({path_, "", bytes, 256, life});
    REQUIRE(begun);
    return std::move(*begun);
  }
  static std::string change_of(std::size_t length) {
    return encoded(change::Named{NameKind::Type, 1, std::string(length, 'n')});
  }
  // One behind another, each synced.
  void write_synced(Journal& journal, std::uint64_t first, std::uint64_t last) {
    for (auto at = first; at <= last; ++at) {
      ASSERT_TRUE(journal.write({at, {at}, {1}, {2}}, 1, change_of(50)));
      ASSERT_TRUE(journal.sync());
    }
  }
  static std::uint64_t place_of(std::uint64_t group) {
    return 4096 + (group - 1) * Journal::bytes_of(change_of(50).size()) + 80;
  }
  Result<Told> read(std::uint64_t life, std::uint64_t sequence) {
    Told told;
    auto done = read_journal(path_, "", life, sequence,
                             [&](const JournalGroup& group, const ChangeBatch& batch) {
                               told.sequences.push_back(group.sequence);
                               for (const auto& change : batch.changes) {
                                 told.names.push_back(std::get<change::Named>(change).name);
                               }
                               return Result<void>();
                             });
    if (!done) return done.error();
    told.cut = *done;
    return told;
  }
  void spoil(std::uint64_t at) {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
  }
  std::string content() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  using Sequences = std::vector<std::uint64_t>;

  ipc::test::TemporaryDirectory directory_;
  std::string path_ = directory_ / "journal";
};

TEST_F(JournalFiles, GroupsComeBackInTheirOrder) {
  auto journal = begin(3, 4096);
  for (std::uint64_t at = 1; at <= 3; ++at) {
    ASSERT_TRUE(journal.write({at, {at}, {1}, {2}}, 2, change_of(at) + change_of(at)));
  }
  EXPECT_EQ(read(3, 0)->sequences, (Sequences{1, 2, 3}));
  EXPECT_EQ(read(3, 2)->sequences, (Sequences{3}));
  EXPECT_EQ(read(3, 2)->names, (std::vector<std::string>{"nnn", "nnn"}));
  EXPECT_EQ(read(3, 3)->sequences, Sequences{});
  EXPECT_EQ(read(4, 0)->sequences, Sequences{}) << "of another life";
}

TEST_F(JournalFiles, AHalfIsWrittenOverOnceItIsFree) {
  auto journal = begin(1, 2048);
  std::uint64_t sequence = 0;
  const auto change = change_of(100);
  for (int turn = 0; turn < 5; ++turn) {
    while (journal.is_room(change.size())) {
      ASSERT_TRUE(journal.write({++sequence, {sequence}, {1}, {2}}, 1, change));
    }
    const auto told = read(1, journal.last_of_next())->sequences;
    ASSERT_FALSE(told.empty());
    EXPECT_EQ(told.front(), journal.last_of_next() + 1);
    EXPECT_EQ(told.back(), sequence);
    journal.turn_over();
  }
  EXPECT_LE(fs::file_size(path_), 4096U + 2048U);
}

TEST_F(JournalFiles, AnEarlierLifeIsGoneOnceALaterOneHasBegun) {
  auto first = begin(1, 4096);
  ASSERT_TRUE(first.write({1, {1}, {1}, {2}}, 1, change_of(10)));
  ASSERT_TRUE(first.write({2, {2}, {1}, {2}}, 1, change_of(10)));
  auto second = begin(2, 4096);
  EXPECT_EQ(read(2, 0)->sequences, Sequences{});
  ASSERT_TRUE(second.write({1, {1}, {1}, {2}}, 1, change_of(10)));
  EXPECT_EQ(read(2, 0)->sequences, Sequences{1});
}

TEST_F(JournalFiles, WhatIsTornIsItsEnd) {
  auto journal = begin(1, 4096);
  for (std::uint64_t at = 1; at <= 3; ++at) {
    ASSERT_TRUE(journal.write({at, {at}, {1}, {2}}, 1, change_of(10)));
  }
  spoil(4096 + 2 * Journal::bytes_of(change_of(10).size()) + 70);
  EXPECT_EQ(read(1, 0)->sequences, (Sequences{1, 2}));
}

TEST_F(JournalFiles, WhatIsMissingBeforeTheRestIsRefused) {
  auto journal = begin(1, 4096);
  for (std::uint64_t at = 5; at <= 6; ++at) {
    ASSERT_TRUE(journal.write({at, {at}, {1}, {2}}, 1, change_of(10)));
  }
  EXPECT_EQ(read(1, 4)->sequences, (Sequences{5, 6}));
  const auto gap = read(1, 3);
  ASSERT_FALSE(gap);
  EXPECT_EQ(gap.error().code, kStoreDamaged);
}

TEST_F(JournalFiles, ASpoiledHeadIsRefusedAndAnEmptyFileIsNothing) {
  begin(1, 4096);
  spoil(9);
  const auto spoiled = read(1, 0);
  ASSERT_FALSE(spoiled);
  EXPECT_NE(spoiled.error().text.find("truncate -s 0"), std::string::npos);
  fs::resize_file(path_, 0);
  EXPECT_EQ(read(1, 0)->sequences, Sequences{});
}

// The write of a group comes to its end, and says that it did not.
TEST_F(JournalFiles, WhatIsTakenBackIsNotThere) {
  FaultVfs vfs;
  auto journal = std::move(*Journal::begin({path_, vfs.name(), 4096, 256, 1}));
  ASSERT_TRUE(journal.write({1, {1}, {1}, {2}}, 1, change_of(10)));
  vfs.set_fault({DiskCall::Write, {}, 1, false, SQLITE_IOERR_WRITE, true});
  ASSERT_FALSE(journal.write({2, {2}, {1}, {2}}, 1, change_of(10)));
  ASSERT_EQ(read(1, 0)->sequences, (Sequences{1, 2}));
  EXPECT_EQ(journal.forget(), Journal::Forgotten::Surely);
  EXPECT_EQ(read(1, 0)->sequences, Sequences{1});
  vfs.set_fault({DiskCall::Write, {}, 1, true, SQLITE_FULL});
  ASSERT_FALSE(journal.write({2, {2}, {1}, {2}}, 1, change_of(10)));
  EXPECT_EQ(journal.forget(), Journal::Forgotten::Surely) << "it was never there";
}

// What a disk kept of a new turn may begin with its second group; the first is an old one's place.
TEST_F(JournalFiles, ANewTurnIsNotTheEndOfAnOldOne) {
  auto journal = begin(1, 2048);
  const auto change = change_of(100);
  ASSERT_TRUE(journal.write({1, {1}, {1}, {2}}, 1, change));
  ASSERT_TRUE(journal.write({2, {2}, {1}, {2}}, 1, change));
  const auto size = Journal::bytes_of(change.size());
  const auto first = content().substr(4096, size);
  journal.turn_over();
  ASSERT_TRUE(journal.write({3, {3}, {1}, {2}}, 1, change));
  journal.turn_over();
  ASSERT_TRUE(journal.write({4, {4}, {1}, {2}}, 1, change));
  ASSERT_TRUE(journal.write({5, {5}, {1}, {2}}, 1, change));
  EXPECT_EQ(read(1, 2)->sequences, (Sequences{3, 4, 5}));
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096);
  file << first;
  file.close();
  const auto told = read(1, 2);
  ASSERT_TRUE(told) << told.error().text;
  EXPECT_EQ(told->sequences, Sequences{3});
}

// A client can write into a payload what it likes, but it does not know the salt.
TEST_F(JournalFiles, AGroupOfAnotherFileIsNone) {
  {
    auto other = begin(1, 4096);
    ASSERT_TRUE(other.write({1, {1}, {1}, {2}}, 1, change_of(10)));
    ASSERT_TRUE(other.write({2, {2}, {1}, {2}}, 1, change_of(10)));
  }
  const auto size = Journal::bytes_of(change_of(10).size());
  const auto forged = content().substr(4096 + size, size);
  auto journal = begin(1, 4096);
  ASSERT_TRUE(journal.write({1, {1}, {1}, {2}}, 1, change_of(10)));
  ASSERT_EQ(content().substr(4096 + size, size), forged);
  EXPECT_EQ(read(1, 0)->sequences, Sequences{1});
}

TEST_F(JournalFiles, NobodyElseMayReadIt) {
  begin(1, 4096);
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(JournalFiles, WhatWasSyncedAndIsNotWholeIsDamage) {
  auto journal = begin(1, 65'536);
  write_synced(journal, 1, 6);
  EXPECT_FALSE(read(1, 0)->cut);
  spoil(place_of(3));
  const auto refused = read(1, 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, kStoreDamaged);
  EXPECT_NE(refused.error().text.find("within what was synced"), std::string::npos);
  EXPECT_EQ(read(1, 3)->sequences, (Sequences{4, 5, 6})) << "the tables have what is not whole";
}

TEST_F(JournalFiles, AnEndThatIsNotWholeIsToldOf) {
  auto journal = begin(1, 65'536);
  write_synced(journal, 1, 4);
  spoil(place_of(4));
  const auto told = read(1, 0);
  ASSERT_TRUE(told) << told.error().text;
  EXPECT_EQ(told->sequences, (Sequences{1, 2, 3}));
  EXPECT_TRUE(told->cut);
}

// Nobody was told that it is on the disk, and a disk may have kept what came after it.
TEST_F(JournalFiles, AHoleInWhatWasNotSyncedIsNoDamage) {
  auto journal = begin(1, 65'536);
  write_synced(journal, 1, 2);
  for (std::uint64_t at = 3; at <= 5; ++at) {
    ASSERT_TRUE(journal.write({at, {at}, {1}, {2}}, 1, change_of(50)));
  }
  spoil(place_of(4));
  const auto told = read(1, 0);
  ASSERT_TRUE(told) << told.error().text;
  EXPECT_EQ(told->sequences, (Sequences{1, 2, 3}));
  EXPECT_TRUE(told->cut);
}

}  // namespace
}  // namespace warmpool::daemon
