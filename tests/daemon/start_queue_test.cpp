#include "daemon/start_queue.hpp"

#include <gtest/gtest.h>

namespace warmpool::daemon {
namespace {

struct Started {
  std::vector<std::uint64_t> workers;
  StartQueue queue{[this](const Wanted& wanted) { workers.push_back(wanted.command.worker.value); },
                   [](ClassId worker_class) { return worker_class.value == 1; }};

  void add(std::uint64_t first, std::uint64_t last, bool critical = false) {
    for (auto worker = first; worker <= last; ++worker) {
      Wanted wanted{};
      wanted.command.worker = WorkerId{worker};
      wanted.command.worker_class = ClassId{static_cast<std::uint16_t>(critical ? 1 : 0)};
      queue.add(std::move(wanted));
    }
  }
  void turn() {
    queue.more();
    queue.end_turn();
  }
};

using WorkerList = std::vector<std::uint64_t>;

TEST(StartQueue, StartsAFewATurnInTheirOrder) {
  static_assert(StartQueue::kTurnMax == 4);
  Started started;
  started.add(1, 6);
  EXPECT_EQ(started.workers, (WorkerList{1, 2, 3, 4})) << "at once, while the turn has room";
  started.queue.end_turn();
  started.add(7, 10);
  EXPECT_EQ(started.workers.size(), 4U) << "nobody overtakes";
  started.turn();
  EXPECT_EQ(started.workers, (WorkerList{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_FALSE(started.queue.empty());
  started.turn();
  EXPECT_EQ(started.workers.size(), 10U);
  EXPECT_TRUE(started.queue.empty());
}

TEST(StartQueue, ATurnThatStartedWhatWaitedHasNoRoomForMore) {
  Started started;
  started.add(1, 8);
  started.queue.end_turn();
  started.queue.more();
  started.add(9, 9);
  EXPECT_EQ(started.workers.size(), 8U);
  started.queue.end_turn();
  started.turn();
  EXPECT_EQ(started.workers.size(), 9U);
}

TEST(StartQueue, ThoseOfCriticalClassesComeFirst) {
  Started started;
  started.add(1, 7);
  started.add(8, 9, true);
  EXPECT_EQ(started.workers, (WorkerList{1, 2, 3, 4}));
  started.queue.end_turn();
  started.turn();
  EXPECT_EQ(started.workers, (WorkerList{1, 2, 3, 4, 8, 9, 5, 6}));
  started.add(10, 10, true);
  started.add(11, 11);
  EXPECT_EQ(started.workers.back(), 10U) << "there was room, and only others waited";
  EXPECT_TRUE(started.queue.remove(WorkerId{7}));
  EXPECT_TRUE(started.queue.remove(WorkerId{11}));
  EXPECT_TRUE(started.queue.empty());
}

TEST(StartQueue, WhatIsTakenBackNeverStarts) {
  Started started;
  started.add(1, 6);
  EXPECT_FALSE(started.queue.remove(WorkerId{4})) << "it has been started";
  EXPECT_TRUE(started.queue.remove(WorkerId{5}));
  started.queue.end_turn();
  started.turn();
  EXPECT_EQ(started.workers, (WorkerList{1, 2, 3, 4, 6}));
}

}  // namespace
}  // namespace warmpool::daemon
