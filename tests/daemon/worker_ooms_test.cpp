// Who was killed for memory, by directories that are made as the kernel makes them.
#include "daemon/process/worker_ooms.hpp"

#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/daemon/process_fixture.hpp"

namespace warmpool::daemon {
namespace {

class WorkerOomsTest : public testing::Test {
 protected:
  using Verdict = WorkerOoms::Verdict;
  void count_v2(int kills) {
    place_.file(
        "memory.events",
        "low 0\nhigh 0\nmax 7\noom 2\noom_kill " + std::to_string(kills) + "\noom_group_kill 0\n",
        0644);
  }
  void count_v1(int kills) {
    place_.file("memory.oom_control",
                "oom_kill_disable 0\nunder_oom 0\noom_kill " + std::to_string(kills) + "\n", 0644);
  }
  void count_machine(int kills) {
    place_.file("vmstat", "nr_free_pages 1\noom_kill " + std::to_string(kills) + "\n", 0644);
  }
  void holds(pid_t pid) { place_.file("cgroup.procs", std::to_string(pid) + "\n", 0644); }
  OomCount machine() const { return OomCount(place_.path() + "/vmstat"); }
  CgroupLeaf leaf() const { return CgroupLeaf(place_.path()); }
  ControllerLeaf memory() const { return ControllerLeaf(place_.path()); }

 private:
  TemporaryDirectory place_;
};

TEST_F(WorkerOomsTest, ItsOwnLeafKnowsForSure) {
  count_v2(0);
  count_machine(0);
  auto machine_count = machine();
  const WorkerOoms ooms(leaf(), std::nullopt);
  EXPECT_EQ(ooms.of_kill(false, machine_count), Verdict::No);
  count_v2(1);
  EXPECT_TRUE(ooms.rose());
  EXPECT_EQ(ooms.of_kill(false, machine_count), Verdict::Surely);
  EXPECT_EQ(ooms.of_kill(true, machine_count), Verdict::Surely) << "the kernel was first";
}

TEST_F(WorkerOomsTest, SoDoesOneOfTheMemoryControllerAlone) {
  count_v1(0);
  count_machine(0);
  auto machine_count = machine();
  const WorkerOoms ooms(std::nullopt, memory());
  EXPECT_EQ(ooms.of_kill(false, machine_count), Verdict::No);
  count_v1(1);
  EXPECT_EQ(ooms.of_kill(false, machine_count), Verdict::Surely);
}

TEST_F(WorkerOomsTest, WhatItHadStartedAndIsOverIsForgotten) {
  count_v2(2);
  count_machine(0);
  auto machine_count = machine();
  WorkerOoms ooms(leaf(), std::nullopt);
  ooms.forget();
  EXPECT_FALSE(ooms.rose());
  EXPECT_EQ(ooms.of_kill(false, machine_count), Verdict::No);
  count_v2(3);
  EXPECT_EQ(ooms.of_kill(false, machine_count), Verdict::Surely);
}

TEST_F(WorkerOomsTest, WhereNothingCountsItIsProbablyTheOneOfTheMachine) {
  count_machine(4);
  auto machine_count = machine();
  const WorkerOoms ooms(leaf(), std::nullopt);  // the controller is not on: no memory.events
  EXPECT_EQ(ooms.of_kill(false, machine_count), Verdict::No);
  count_machine(5);
  EXPECT_EQ(ooms.of_kill(true, machine_count), Verdict::No) << "we killed it";
  EXPECT_EQ(ooms.of_kill(false, machine_count), Verdict::Probably);
  EXPECT_EQ(WorkerOoms().of_kill(false, machine_count), Verdict::No) << "that one was found";
}

TEST_F(WorkerOomsTest, WhoIsInACountingLeafIsNotTheOneOfTheMachine) {
  count_v2(0);
  count_machine(0);
  holds(::getpid());
  auto machine_count = machine();
  WorkerOoms ooms(leaf(), std::nullopt);
  count_machine(1);
  ooms.look_for(::getpid());
  EXPECT_EQ(ooms.of_kill(false, machine_count), Verdict::No);
  const WorkerOoms outside(leaf(), std::nullopt);  // it may not have got into it
  EXPECT_EQ(outside.of_kill(false, machine_count), Verdict::Probably);
}

TEST_F(WorkerOomsTest, OneOfLongAgoIsNobodys) {
  count_machine(0);
  auto machine_count = machine();
  count_machine(1);
  for (int second = 0; second < 10; ++second) machine_count.note();
  EXPECT_EQ(WorkerOoms().of_kill(false, machine_count), Verdict::No);
}

}  // namespace
}  // namespace warmpool::daemon
