// The small parts that everything stands on, against the plain way of doing the same.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "pool/flat_map.hpp"
#include "pool/heap.hpp"
#include "pool/jitter.hpp"
#include "pool/notification.hpp"
#include "pool/refusal.hpp"
#include "pool/slab_index.hpp"
#include "pool/slot_set.hpp"
#include "pool/token.hpp"

namespace warmpool::test {
namespace {

TEST(FlatMap, DoesWhatAMapDoes) {
  std::mt19937_64 random(1);
  FlatMap<int> flat;
  std::map<std::uint64_t, int> plain;
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t key = 1 + random() % 5000;
    if (random() % 2 == 0) {
      if (!plain.contains(key)) flat.insert(key, i);
      plain.emplace(key, i);
    } else {
      flat.erase(key);
      plain.erase(key);
    }
    ASSERT_EQ(flat.size(), plain.size());
  }
  for (std::uint64_t key = 1; key <= 5000; ++key) {
    const int* found = flat.find(key);
    ASSERT_EQ(found != nullptr, plain.contains(key)) << key;
    if (found != nullptr) {
      EXPECT_EQ(*found, plain[key]);
    }
  }
}

TEST(SlabIndex, FindsWhatStandsInTheSlab) {
  std::mt19937_64 random(3);
  std::vector<std::uint64_t> slab;
  std::vector<std::uint32_t> gaps;
  std::map<std::uint64_t, std::uint32_t> plain;
  SlabIndex index;
  const auto id_at = [&slab](std::uint32_t place) { return slab[place]; };
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t id = 1 + random() % 5000;
    const auto there = plain.find(id);
    if (there == plain.end()) {
      std::uint32_t place = static_cast<std::uint32_t>(slab.size());
      if (gaps.empty()) {
        slab.push_back(id);
      } else {
        place = gaps.back();
        gaps.pop_back();
        slab[place] = id;
      }
      index.insert(place, static_cast<std::uint32_t>(slab.size()), id_at);
      plain.emplace(id, place);
    } else {
      index.erase(there->second, id_at);
      slab[there->second] = 0;
      gaps.push_back(there->second);
      plain.erase(there);
    }
    ASSERT_EQ(index.size(), plain.size());
  }
  for (std::uint64_t id = 1; id <= 5000; ++id) {
    const auto there = plain.find(id);
    ASSERT_EQ(index.find(id, id_at), there == plain.end() ? SlabIndex::kNowhere : there->second);
  }
}

// Ids that follow one another stand beside one another, in either direction, until some have gone.
TEST(SlabIndex, FindsRowsOfIdsInWhateverOrder) {
  std::mt19937_64 random(4);
  constexpr std::uint64_t ids = 2000, first = 77;
  std::vector<std::uint64_t> slab(ids);
  SlabIndex index;
  const auto id_at = [&slab](std::uint32_t place) { return slab[place]; };
  for (std::uint32_t place = 0; place < ids; ++place) {
    const bool back = place >= ids / 2;
    slab[place] = back ? first + ids + ids / 2 - 1 - place : first + place;
    index.insert(place, place + 1, id_at);
  }
  for (int gone = 0; gone < 500; ++gone) {
    const auto place = static_cast<std::uint32_t>(random() % ids);
    if (slab[place] == 0) continue;
    index.erase(place, id_at);
    slab[place] = 0;
  }
  const auto place_of = [&](std::uint64_t id) {
    const auto at = std::ranges::find(slab, id);
    return at == slab.end() || id == 0 ? SlabIndex::kNowhere
                                       : static_cast<std::uint32_t>(at - slab.begin());
  };
  std::uint64_t id = 0;
  for (int look = 0; look < 20'000; ++look) {
    id += random() % 8 == 0 ? random() % (first + ids + 3) : random() % 3;
    id %= first + ids + 3;
    ASSERT_EQ(index.find(id, id_at), place_of(id)) << id;
  }
}

TEST(Heap, ComesOutInOrderAlsoAfterRemovals) {
  std::mt19937_64 random(2);
  std::vector<std::uint64_t> heap;
  std::multiset<std::uint64_t> plain;
  const auto before = std::less<>();
  for (int i = 0; i < 20'000; ++i) {
    const auto value = random() % 1000;
    heap_push(heap, value, before);
    plain.insert(value);
    if (random() % 3 == 0) {
      const auto at = random() % heap.size();
      plain.erase(plain.find(heap[at]));
      heap_remove(heap, at, before);
    }
  }
  while (!heap.empty()) {
    ASSERT_EQ(heap.front(), *plain.begin());
    plain.erase(plain.begin());
    heap_remove(heap, 0, before);
  }
}

TEST(Heap, RebuildsFromAnyOrder) {
  std::vector<int> heap{5, 3, 9, 1, 7, 7, 2, 8, 0, 4, 6};
  heap_rebuild(heap, std::less<>());
  for (int expected : {0, 1, 2, 3, 4, 5, 6, 7, 7, 8, 9}) {
    ASSERT_EQ(heap.front(), expected);
    heap_remove(heap, 0, std::less<>());
  }
}

TEST(SlotSet, FindsTheNextAround) {
  SlotSet set;
  set.set(3, true);
  set.set(64, true);
  set.set(200, true);
  EXPECT_EQ(set.count(), 3U);
  EXPECT_EQ(set.next(0), 3);
  EXPECT_EQ(set.next(4), 64);
  EXPECT_EQ(set.next(201), std::nullopt);
  set.set(64, false);
  EXPECT_EQ(set.next(4), 200);
  EXPECT_FALSE(set.has(64));
}

// Source: the test vectors of the SipHash reference: key 00..0f, message 00 01 .. of 0 and 8 bytes.
TEST(SipHash, EqualsTheReference) {
  const std::array<std::uint64_t, 2> key{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
  EXPECT_EQ(SipHash(key).finish(0), 0x726fdb47dd0e0e31ULL);
  SipHash eight(key);
  eight.word(0x0706050403020100ULL);
  EXPECT_EQ(eight.finish(8), 0x93f5f5799a932462ULL);
}

TEST(Token, NamesOneAttemptOnly) {
  std::set<std::uint64_t> tokens;
  for (std::uint16_t round = 1; round <= 20; ++round) {
    for (std::uint16_t attempt = 1; attempt <= 20; ++attempt) {
      tokens.insert(attempt_token({1, 2}, 77, round, attempt));
    }
  }
  EXPECT_EQ(tokens.size(), 400U);
  EXPECT_NE(attempt_token({1, 2}, 77, 1, 1), attempt_token({1, 3}, 77, 1, 1));
}

TEST(Backoff, DoublesUpToItsMost) {
  EXPECT_EQ(backoff(seconds(1), 2, 1, seconds(30)), seconds(1));
  EXPECT_EQ(backoff(seconds(1), 2, 4, seconds(30)), seconds(8));
  EXPECT_EQ(backoff(seconds(1), 2, 6, seconds(30)), seconds(30));
  EXPECT_EQ(backoff(seconds(1), 2, 60000, seconds(30)), seconds(30));
  EXPECT_EQ(backoff(seconds(5), 1, 60000, hours(1)), seconds(5));
}

TEST(Jitter, StaysWithinAQuarterAndSpreads) {
  Jitter jitter(1);
  std::set<std::int64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    const Duration drawn = jitter.shorten(seconds(8));
    EXPECT_GT(drawn, seconds(6));
    EXPECT_LE(drawn, seconds(8));
    seen.insert(drawn.ns);
  }
  EXPECT_GT(seen.size(), 900U);
}

template <class Enum>
void expect_sound_words() {
  std::set<std::uint64_t> numbers;
  std::set<std::string_view> names;
  for (const auto& row : Words<Enum>::rows) {
    EXPECT_TRUE(numbers.insert(static_cast<std::uint64_t>(row.value)).second) << row.name;
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_FALSE(row.meaning.empty()) << row.name;
    EXPECT_EQ(find_word<Enum>(row.name), row.value);
  }
}

TEST(Words, EachHasOneNumberOneNameAndAMeaning) {
  expect_sound_words<Outcome>();
  expect_sound_words<Verdict>();
  expect_sound_words<TaskState>();
  expect_sound_words<EndCause>();
  expect_sound_words<Charge>();
  expect_sound_words<Hold>();
  expect_sound_words<SlotState>();
  expect_sound_words<ExitCause>();
  expect_sound_words<WorkerHealth>();
  expect_sound_words<Band>();
  expect_sound_words<HealthPart>();
  expect_sound_words<HealthReason>();
  expect_sound_words<CoarseHealth>();
  expect_sound_words<Durability>();
  expect_sound_words<Content>();
  expect_sound_words<Rung>();
  expect_sound_words<Refusal>();
}

TEST(Notices, RowsStandInTheOrderOfTheirNumbers) {
  for (std::size_t i = 0; i < kNoticeRows.size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(kNoticeRows[i].notice), i) << kNoticeRows[i].name;
  }
}

}  // namespace
}  // namespace warmpool::test
