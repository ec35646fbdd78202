// A board is whole whatever its writer is doing, and nothing in it is believed.
#include "ipc/board.hpp"

#include <cerrno>
#include <cstring>
#include <functional>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "pool/worker_words.hpp"
#include "tests/ipc/hex.hpp"
#include "tests/ipc/page.hpp"
#include "tests/support/places.hpp"

namespace warmpool::ipc::test {
namespace {

constexpr BoardShape kShape{2, 40};

struct Made {
  UniqueFd fd;
  BoardWriter writer;

  static Made make(const BoardShape& shape = kShape) {
    auto fd = make_sealed_memory("board", shape.bytes());
    REQUIRE(fd);
    auto mapping = Mapping::of(fd->get(), shape.bytes(), Mapping::Access::ReadWrite);
    REQUIRE(mapping);
    return {std::move(*fd), BoardWriter(std::move(*mapping), shape, 4711, 17, "warmpoold/test")};
  }
  BoardReader reader() const {
    auto reader = BoardReader::open(fd.get());
    REQUIRE(reader);
    return std::move(*reader);
  }
  Mapping raw() const {
    auto mapping = Mapping::of(fd.get(), kShape.bytes(), Mapping::Access::ReadWrite);
    REQUIRE(mapping);
    return std::move(*mapping);
  }
};

BoardSlot slot_named(std::string_view name, std::uint64_t tasks) {
  BoardSlot row{};
  put_text(row.name, name);
  row.tasks_executed = tasks;
  row.state = static_cast<std::uint8_t>(SlotState::Ready);
  return row;
}

// All that belongs together carries the same number.
void write(BoardWriter& writer, std::uint64_t number, std::uint32_t slots) {
  writer.begin();
  BoardPool pool{};
  pool.accepted = number;
  BoardClass row{};
  put_text(row.name, "worker");
  row.target = static_cast<std::uint32_t>(number);
  writer.put(pool.classes++, row);
  for (; pool.slots < slots; ++pool.slots) writer.put(pool.slots, slot_named("worker-0", number));
  writer.commit(pool);
}

TEST(Board, GivesBackWhatWasPutThere) {
  auto made = Made::make();
  write(made.writer, 42, 3);
  const auto reader = made.reader();
  EXPECT_EQ(reader.header().pid, 4711);
  EXPECT_EQ(text_in(reader.header().server), "warmpoold/test");
  const auto figures = reader.read();
  ASSERT_TRUE(figures) << figures.error().text;
  EXPECT_EQ(figures->pool.accepted, 42U);
  ASSERT_EQ(figures->slots.size(), 3U);
  EXPECT_EQ(text_in(figures->slots[2].name), "worker-0");
  EXPECT_EQ(figures->classes.at(0).target, 42U);
}

TEST(Board, HasNoFiguresBeforeTheFirstCopyIsWhole) {
  auto made = Made::make();
  const auto figures = made.reader().read();
  ASSERT_FALSE(figures);
  EXPECT_EQ(figures.error().code, EAGAIN);
}

TEST(Board, IsReadableWhileItsWriterStandsInTheMiddleOfACopy) {
  auto made = Made::make();
  const auto reader = made.reader();
  for (std::uint64_t number = 1; number <= 4; ++number) {
    write(made.writer, number, 3);
    made.writer.begin();
    made.writer.put(0, slot_named("half", 999));
    const auto figures = reader.read();
    ASSERT_TRUE(figures) << figures.error().text;
    EXPECT_EQ(figures->pool.accepted, number);
    EXPECT_EQ(figures->slots[0].tasks_executed, number);
  }
}

TEST(Board, IsNeverReadHalf) {
  auto made = Made::make();
  write(made.writer, 1, 1);
  std::jthread writer([&](const std::stop_token& stop) {
    for (std::uint64_t number = 2; !stop.stop_requested(); ++number) {
      write(made.writer, number, static_cast<std::uint32_t>(number % kShape.slots_max));
    }
  });
  const auto reader = made.reader();
  std::uint64_t last = 0, whole = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto figures = reader.read();
    if (!figures) {
      ASSERT_EQ(figures.error().code, EAGAIN) << figures.error().text;  // it writes without pause
      continue;
    }
    ++whole;
    const auto number = figures->pool.accepted;
    ASSERT_GE(number, last);
    ASSERT_EQ(figures->slots.size(), number == 1 ? 1 : number % kShape.slots_max);
    ASSERT_EQ(figures->classes.at(0).target, number);
    for (const auto& row : figures->slots) ASSERT_EQ(row.tasks_executed, number);
    last = number;
  }
  EXPECT_GT(whole, 0U);
}

TEST(Board, SaysThatItHasBeenRetired) {
  auto made = Made::make();
  const auto reader = made.reader();
  EXPECT_EQ(reader.end(), BoardEnd::None);
  made.writer.retire(BoardEnd::Replaced);
  EXPECT_EQ(reader.end(), BoardEnd::Replaced);
}

TEST(Board, IsRefusedWhenItIsNone) {
  const auto refused = [](const std::function<void(BoardHeader&)>& change) {
    auto made = Made::make();
    write(made.writer, 1, 1);
    BoardHeader header;
    auto raw = made.raw();
    std::memcpy(&header, raw.data(), sizeof header);
    change(header);
    std::memcpy(raw.data(), &header, sizeof header);
    const auto reader = BoardReader::open(made.fd.get());
    return reader ? std::string() : reader.error().text;
  };
  EXPECT_EQ(refused([](BoardHeader&) {}), "");
  EXPECT_NE(refused([](BoardHeader& h) { h.magic ^= 1; }).find("WPBOARD1"), std::string::npos);
  EXPECT_NE(refused([](BoardHeader& h) { h.version = 2; }).find("version 2"), std::string::npos);
  EXPECT_NE(refused([](BoardHeader& h) { h.slots_max = 0xffffffff; }), "");
  EXPECT_NE(refused([](BoardHeader& h) { ++h.slots_max; }), "");
  EXPECT_NE(refused([](BoardHeader& h) { h.copy_bytes = 8; }), "");
  EXPECT_NE(refused([](BoardHeader& h) { h.bytes *= 2; }), "");
  auto small = make_sealed_memory("small", 100);
  ASSERT_TRUE(small);
  EXPECT_FALSE(BoardReader::open(small->get()));
}

TEST(Board, DoesNotHandOutWhatMakesNoSense) {
  const auto refused = [](const std::function<void(BoardPool&, BoardSlot&)>& change) {
    auto made = Made::make();
    BoardPool pool{};
    BoardSlot slot = slot_named("worker-0", 1);
    pool.classes = pool.slots = 1;
    change(pool, slot);
    made.writer.begin();
    made.writer.put(0, BoardClass{});
    made.writer.put(0, slot);
    made.writer.commit(pool);
    const auto figures = made.reader().read();
    return !figures && figures.error().code == EINVAL;
  };
  EXPECT_FALSE(refused([](BoardPool&, BoardSlot&) {}));
  EXPECT_TRUE(refused([](BoardPool&, BoardSlot& s) {
    s.state = static_cast<std::uint8_t>(Words<SlotState>::rows.size());
  }));
  EXPECT_TRUE(refused([](BoardPool&, BoardSlot& s) {
    s.last_exit = static_cast<std::uint8_t>(Words<ExitCause>::rows.size());
  }));
  EXPECT_TRUE(refused([](BoardPool&, BoardSlot& s) { s.worker_class = 1; }));
  EXPECT_TRUE(refused([](BoardPool&, BoardSlot& s) { s.score = 255; }));
  EXPECT_TRUE(refused([](BoardPool&, BoardSlot& s) { s.name[0] = '\xff'; }));
}

TEST(Board, FullOfNoiseIsReadWithoutHarm) {
  auto made = Made::make();
  write(made.writer, 1, 1);
  const auto reader = made.reader();
  auto raw = made.raw();
  std::mt19937_64 random(4711);
  for (int i = 0; i < 2'000; ++i) {
    for (std::size_t at = sizeof(BoardHeader); at + 8 <= kShape.bytes(); at += 8) {
      const std::uint64_t word = random() >> (random() % 64);
      std::memcpy(raw.data() + at, &word, 8);
    }
    if (const auto figures = reader.read()) {
      EXPECT_LE(figures->slots.size(), kShape.slots_max);
      EXPECT_LE(figures->classes.size(), kShape.classes_max);
    }
  }
}

TEST(Board, TextsAreCutAtACharacter) {
  std::array<char, 4> field;
  put_text(field, "abü");
  EXPECT_EQ(text_in(field), "abü");
  put_text(field, "abcü");
  EXPECT_EQ(text_in(field), "abc");
  field = {'a', 'b', 'c', 'd'};
  EXPECT_EQ(text_in(field), "abcd") << "no zero is needed behind it";
}

TEST(BoardPage, HasTheTablesOfTheLayout) {
  const auto page = read_file(warmpool::test::source_file("docs/board.md"));
  for (const auto& table : board_tables()) {
    const auto found = table_after(page, table.heading);
    ASSERT_EQ(found.size(), table.rows.size()) << table.heading;
    std::size_t end = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const LayoutRow& row = table.rows[i];
      EXPECT_EQ(found[i], (Cells{std::to_string(row.offset), std::string(row.type),
                                 std::string(row.name), std::string(row.meaning)}));
      EXPECT_GE(row.offset, end) << row.name << " lies on the one before";
      end = row.offset + row.bytes;
    }
    EXPECT_LE(end, table.bytes);
    EXPECT_NE(page.find("of " + std::to_string(table.bytes) + " bytes"), page.npos)
        << table.heading;
  }
}

template <class Enum>
void expect_words(const std::string& page, std::string_view heading) {
  const auto found = table_after(page, heading);
  ASSERT_EQ(found.size(), Words<Enum>::rows.size()) << heading;
  std::size_t i = 0;
  for (const auto& row : Words<Enum>::rows) {
    EXPECT_EQ(found[i++], (Cells{std::to_string(static_cast<int>(row.value)), std::string(row.name),
                                 std::string(row.meaning)}));
  }
}

TEST(BoardPage, HasTheWords) {
  const auto page = read_file(warmpool::test::source_file("docs/board.md"));
  expect_words<SlotState>(page, "### State of a slot");
  expect_words<ExitCause>(page, "### Cause of an end");
}

}  // namespace
}  // namespace warmpool::ipc::test
