// What a worker leaves behind: killed with it, without waiting for it, and never mistaken for a
// worker.
#include "daemon/process/process_tree.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include "daemon/process/cgroup_leaf.hpp"
#include "daemon/process/process_sampler.hpp"
#include "tests/daemon/process_fixture.hpp"

namespace warmpool::daemon {
namespace {

pid_t number_of(const std::string& line) {
  return line.empty() ? 0 : static_cast<pid_t>(std::stol(line));
}

// Each test with cgroups where this machine has them, and without.
class Tree : public ProcessTest, public ::testing::WithParamInterface<CgroupUse> {
 protected:
  void SetUp() override {
    ProcessTest::SetUp();
    start_port(GetParam());
  }
  // Dead and no longer adopted by us.
  bool gone(pid_t pid) {
    return eventually([&] {
      port_->reap_orphans();
      return kill(pid, 0) != 0 && errno == ESRCH;
    });
  }
};

INSTANTIATE_TEST_SUITE_P(WithAndWithoutCgroups, Tree,
                         ::testing::Values(CgroupUse::Never, CgroupUse::IfPossible),
                         [](const auto& use) {
                           return use.param == CgroupUse::Never ? "Without" : "With";
                         });

TEST_P(Tree, GrandchildInASessionOfItsOwnHoldsNothingUp) {
  // It keeps stdout, stderr and the channel open, and never ends by itself.
  const Child child = spawn(shell("setsid sh -c 'echo $$; exec sleep 1000' & read x <&3; exit 4"));
  const pid_t grandchild = number_of(read_line(child.output.get()));
  ASSERT_GT(grandchild, 0);
  ASSERT_EQ(write(child.channel.get(), "\n", 1), 1);
  ASSERT_TRUE(wait_readable(child.exit_notice.get()));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(port_->bury(child.worker, [](const Exit& exit) { EXPECT_EQ(exit.code, 4); }));
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_LT(took, test::patience(std::chrono::seconds(1)));  // measured 0.2 ms; it would be 1,000 s
  EXPECT_TRUE(gone(grandchild));
}

TEST_P(Tree, KillEndsTheWholeTreeOfALivingWorker) {
  const Child child = spawn(shell(
      "sh -c 'echo $$; setsid sh -c \"echo \\$\\$; exec sleep 1000\"; sleep 1000' & sleep 1000"));
  const pid_t first = number_of(read_line(child.output.get()));
  const pid_t second = number_of(read_line(child.output.get()));
  ASSERT_GT(first, 0);
  ASSERT_GT(second, 0);
  port_->kill_tree(child.worker);
  EXPECT_EQ(wait_burial(child).code, -SIGKILL);
  EXPECT_TRUE(gone(first));
  EXPECT_TRUE(gone(second));
}

// Not only when orphans are looked for. The shell stays what it is, so that its mark can be read.
TEST_P(Tree, BurialItselfKillsWhatIsLeft) {
  const Child child =
      spawn(shell("setsid sh -c 'echo $$; while :; do sleep 1000; done' & read x <&3"));
  const pid_t grandchild = number_of(read_line(child.output.get()));
  ASSERT_GT(grandchild, 0);
  ASSERT_EQ(write(child.channel.get(), "\n", 1), 1);
  wait_burial(child);
  EXPECT_TRUE(eventually([&] { return !is_alive(grandchild); }, std::chrono::seconds(5)));
}

// One that was between two programs at the burial shows its mark afterwards.
TEST_P(Tree, StragglerOfABuriedWorkerIsKilledWithTheOrphans) {
  std::string mark = std::string(kMarkVariable) + "=" + mark_.of(WorkerId{1});
  std::string name = "sleep", seconds_long = "1000";
  char* environment[] = {mark.data(), nullptr};
  char* command[] = {name.data(), seconds_long.data(), nullptr};
  pid_t pid = 0;
  ASSERT_EQ(posix_spawn(&pid, "/bin/sleep", nullptr, nullptr, command, environment), 0);
  EXPECT_TRUE(eventually([&] { return port_->reap_orphans().killed == 1; }));
  EXPECT_TRUE(gone(pid));
}

TEST_P(Tree, StoppedWorkerIsKilled) {
  const Child child = spawn(shell("echo up; kill -STOP $$"));
  EXPECT_EQ(read_line(child.output.get()), "up");
  ASSERT_TRUE(eventually([&] {
    const auto sampler = ProcessSampler::open(child.pid);
    return sampler && sampler->sample()->stopped();
  }));
  port_->kill_tree(child.worker);
  EXPECT_EQ(wait_burial(child).code, -SIGKILL);
}

TEST_P(Tree, WorkerThatIgnoresEverythingIsKilled) {
  const Child child = spawn(shell("trap '' TERM INT HUP QUIT; echo up; while :; do sleep 1; done"));
  EXPECT_EQ(read_line(child.output.get()), "up");
  ASSERT_TRUE(port_->signal(child.worker, SIGTERM));
  EXPECT_FALSE(port_->inspect(child.worker).has_value());
  port_->kill_tree(child.worker);
  EXPECT_EQ(wait_burial(child).code, -SIGKILL);
}

TEST_P(Tree, OrphanIsAdoptedAndReapedAndTheWorkerLivesOn) {
  const Child child = spawn(shell("(setsid sh -c 'echo $$; exit 3' &) ; read x <&3; exit 6"));
  const pid_t orphan = number_of(read_line(child.output.get()));
  ASSERT_GT(orphan, 0);
  EXPECT_TRUE(gone(orphan));
  EXPECT_FALSE(port_->inspect(child.worker).has_value());
  ASSERT_EQ(write(child.channel.get(), "\n", 1), 1);
  EXPECT_EQ(wait_burial(child).code, 6);
}

// Who waits for a vfork is in state D for as long as that one runs no program, and can be killed
// all the same: its memory is not looked into, and it is known by where it was seen.
const char* const kWaitsInTheKernel =
    "import ctypes, os, time\n"
    "print(os.getpid(), flush=True)\n"
    "if ctypes.CDLL(None).vfork() == 0:\n"
    "    while True: time.sleep(100)\n";

TEST_P(Tree, OrphanInStateDThatWasSeenBelowItsWorkerIsKilledWithIt) {
  const auto program = directory_.file("waits.py", kWaitsInTheKernel, 0644);
  const Child child =
      spawn(shell("setsid /usr/bin/python3 -B " + program + " & read x <&3; exit 0"));
  const pid_t orphan = number_of(read_line(child.output.get()));
  ASSERT_GT(orphan, 0);
  ASSERT_TRUE(eventually([&] { return kinship_of(orphan).state == 'D'; }));
  const auto figure = port_->memory(child.worker, MemoryLook::Deep);
  ASSERT_TRUE(figure);
  EXPECT_GE(figure->processes, 2U);
  ASSERT_EQ(write(child.channel.get(), "\n", 1), 1);
  wait_burial(child);
  EXPECT_TRUE(gone(orphan));
}

TEST(TreeWalk, WaitsForWhoStaysInStateDOnce) {
  const TemporaryDirectory directory;
  const auto program = directory.file("waits.py", kWaitsInTheKernel, 0644);
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const ipc::UniqueFd output(ends[0]);
  ipc::UniqueFd input(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.get(), 1);
  std::string name = "/usr/bin/python3", quiet = "-B", script = program;
  char* command[] = {name.data(), quiet.data(), script.data(), nullptr};
  pid_t pid = 0;
  ASSERT_EQ(posix_spawn(&pid, name.c_str(), &actions, nullptr, command, environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  input.reset();
  EXPECT_EQ(number_of(read_line(output.get())), pid);
  EXPECT_TRUE(eventually([&] { return kinship_of(pid).state == 'D'; }));
  Waited waited;
  const TreeRoot root{.pid = -1, .mark = "nobody's", .waited = &waited};
  EXPECT_TRUE(descendants_of(root, {}).empty());
  EXPECT_TRUE(waited.contains({pid, kinship_of(pid).start_ticks}));
  for (const pid_t below : children_of(pid)) kill(below, SIGKILL);
  kill(pid, SIGKILL);
  EXPECT_EQ(waitpid(pid, nullptr, 0), pid);
}

// Of a worker that is buried it is known by what was read of it before.
TEST_P(Tree, OrphanThatWritesOverItsMarkIsStillKilledWithItsWorker) {
  const std::string wipe =
      "import ctypes, os, sys, time\n"
      "print(os.getpid(), flush=True)\n"
      "while not os.path.exists(sys.argv[1]): time.sleep(0.01)\n"
      "names = ctypes.POINTER(ctypes.c_void_p).in_dll(ctypes.CDLL(None), 'environ')\n"
      "i = 0\n"
      "while names[i]:\n"
      "    text = ctypes.string_at(names[i])\n"
      "    if text.startswith(b'WARMPOOL_MARK='): ctypes.memset(names[i], 120, len(text))\n"
      "    i += 1\n"
      "print('wiped', flush=True)\n"
      "while True: time.sleep(100)\n";
  const auto program = directory_.file("wipe.py", wipe, 0644);
  const Child child = spawn(shell("(setsid /usr/bin/python3 -B " + program + " " +
                                  directory_.path() + "/flag &) ; read x <&3"));
  const pid_t orphan = number_of(read_line(child.output.get()));
  ASSERT_GT(orphan, 0);
  ASSERT_TRUE(eventually([&] { return port_->reap_orphans().living.size() == 1; }));
  directory_.file("flag", "", 0644);
  ASSERT_EQ(read_line(child.output.get()), "wiped") << read_all(child.errors.get(), 0);
  EXPECT_TRUE(look_at_mark(orphan).mark.empty());
  EXPECT_EQ(port_->reap_orphans().living.size(), 1U);
  ASSERT_EQ(write(child.channel.get(), "\n", 1), 1);
  wait_burial(child);
  EXPECT_TRUE(gone(orphan));
}

TEST(Kinship, IsReadBehindAnyName) {
  const Kinship seen = parse_kinship(
      "42 (a) b (c)) D 7 8 9 10 -1 11 12 13 14 15 16 17 18 19 20 "
      "21 22 23 4711 24 25\n");
  EXPECT_EQ(seen.state, 'D');
  EXPECT_EQ(seen.parent, 7);
  EXPECT_EQ(seen.session, 9);
  EXPECT_EQ(seen.start_ticks, 4711U);
  EXPECT_EQ(parse_kinship("42 (cut) S 1 2").parent, 0);
}

TEST_P(Tree, OrphanOfALivingWorkerIsLeftAlone) {
  const Child child = spawn(shell("(setsid sh -c 'echo $$; exec sleep 1000' &) ; read x <&3"));
  const pid_t orphan = number_of(read_line(child.output.get()));
  ASSERT_TRUE(eventually([&] {
    const auto children = children_of(getpid());
    return std::ranges::find(children, orphan) != children.end();
  }));
  EXPECT_EQ(port_->reap_orphans().killed, 0U);
  EXPECT_TRUE(is_alive(orphan));
  ASSERT_EQ(write(child.channel.get(), "\n", 1), 1);
  wait_burial(child);
  EXPECT_TRUE(gone(orphan));
}

TEST_P(Tree, WhatAnotherWorkerLeftIsNotItsOwn) {
  const std::string leaves_one = "(setsid sh -c 'echo $$; exec sleep 1000' &) ; read x <&3";
  const Child one = spawn(shell(leaves_one)), other = spawn(shell(leaves_one));
  const pid_t left = number_of(read_line(one.output.get()));
  const pid_t others = number_of(read_line(other.output.get()));
  ASSERT_TRUE(eventually([&] { return port_->reap_orphans().living.size() == 2; }));
  EXPECT_EQ(port_->descendants(one.worker, {}), std::vector{left});
  EXPECT_EQ(port_->end_others(one.worker, {}, {}), 1U);
  EXPECT_TRUE(gone(left));
  EXPECT_TRUE(is_alive(others));
  EXPECT_EQ(port_->end_others(other.worker, {}, {}), 1U) << "it is known whose it is";
  EXPECT_TRUE(gone(others));
  for (const auto* child : {&one, &other}) {
    ASSERT_EQ(write(child->channel.get(), "\n", 1), 1);
    wait_burial(*child);
  }
}

TEST_P(Tree, OneWorkersDeathSparesTheOthersTree) {
  const Child other = spawn(shell("setsid sh -c 'echo $$; exec sleep 1000' & sleep 1000"));
  const pid_t spared = number_of(read_line(other.output.get()));
  const Child child = spawn(shell("exit 0"));
  EXPECT_EQ(wait_burial(child).code, 0);
  EXPECT_TRUE(is_alive(spared));
  EXPECT_TRUE(is_alive(other.pid));
  port_->kill_tree(other.worker);
  wait_burial(other);
  EXPECT_TRUE(gone(spared));
}

TEST_P(Tree, DeadWorkersAreNotReapedWithTheOrphans) {
  const Child child = spawn(shell("exit 11"));
  ASSERT_TRUE(wait_readable(child.exit_notice.get()));
  EXPECT_EQ(port_->reap_orphans().reaped, 0U);
  EXPECT_EQ(wait_burial(child).code, 11);
}

TEST_P(Tree, DescendantThatWipedItsEnvironmentDiesWithItsGroupOrSession) {
  const Child child =
      spawn(shell("env -i /bin/sh -c 'echo $$; exec /bin/sleep 1000' & read x <&3"));
  const pid_t wiped = number_of(read_line(child.output.get()));
  ASSERT_GT(wiped, 0);
  ASSERT_EQ(write(child.channel.get(), "\n", 1), 1);
  wait_burial(child);
  EXPECT_TRUE(gone(wiped));
}

// Each of 8 loops forks children into sessions of their own as fast as it can, until killed.
TEST_P(Tree, ForkStormEnds) {
  const Child child =
      spawn(python("import os, sys\n"
                   "def storm():\n"
                   "  for i in range(100000):\n"
                   "    if os.fork() == 0:\n"
                   "      os.setsid()\n"
                   "      if os.fork() == 0: os.execv('/bin/sleep', ['sleep', '1000'])\n"
                   "      os._exit(0)\n"
                   "    os.wait()\n"
                   "for i in range(8):\n"
                   "  if os.fork() == 0: os.setsid(); storm(); os._exit(0)\n"
                   "print('up', flush=True)\n"
                   "while True: os.wait()"));
  ASSERT_EQ(read_line(child.output.get()), "up");
  ASSERT_TRUE(eventually([&] { return children_of(getpid()).size() > 50; }));
  port_->kill_tree(child.worker);
  EXPECT_EQ(wait_burial(child).code, -SIGKILL);
  EXPECT_TRUE(eventually([&] {
    port_->reap_orphans();
    return children_of(getpid()).empty();
  }));
}

TEST_P(Tree, EndOfThePortEndsEverything) {
  const Child child = spawn(shell("setsid sh -c 'echo $$; exec sleep 1000' & sleep 1000"));
  const pid_t grandchild = number_of(read_line(child.output.get()));
  port_.reset();
  EXPECT_FALSE(is_alive(child.pid));
  EXPECT_TRUE(eventually([&] { return !is_alive(grandchild); }));
}

class Cgroups : public ProcessTest {
 protected:
  void SetUp() override {
    ProcessTest::SetUp();
    const auto probe = CgroupLife::make(mark_);
    if (!probe) GTEST_SKIP() << "no cgroup v2 can be made here (own: '" << own_cgroup() << "')";
    probe->remove();
    start_port(CgroupUse::IfPossible);
  }
  std::string life_path() const {
    return own_cgroup() + "/warmpool-" + mark_.place + "-" + mark_.life;
  }
};

TEST_F(Cgroups, WorkerHasALeafThatGoesWithIt) {
  const Child child = spawn(shell("cat /proc/self/cgroup; read x <&3"));
  const std::string leaf = life_path() + "/" + std::to_string(child.worker.value);
  EXPECT_TRUE(std::filesystem::is_directory(leaf));
  std::string seen;
  for (std::string line; !(line = read_line(child.output.get(), 200)).empty();) seen += line + "\n";
  EXPECT_THAT(seen, ::testing::HasSubstr("0::"));
  EXPECT_THAT(seen, ::testing::HasSubstr(mark_.life + "/" + std::to_string(child.worker.value)));
  ASSERT_EQ(write(child.channel.get(), "\n", 1), 1);
  wait_burial(child);
  EXPECT_FALSE(std::filesystem::exists(leaf));
  port_.reset();
  EXPECT_FALSE(std::filesystem::exists(life_path()));
}

TEST_F(Cgroups, OrphanWithoutMarkAndSessionDiesToo) {
  const Child child = spawn(
      shell("(env -i /usr/bin/setsid /bin/sh -c 'echo $$; exec /bin/sleep 1000' &) ; read x <&3"));
  const pid_t wiped = number_of(read_line(child.output.get()));
  ASSERT_GT(wiped, 0);
  ASSERT_EQ(write(child.channel.get(), "\n", 1), 1);
  wait_burial(child);
  EXPECT_TRUE(eventually([&] { return !is_alive(wiped); }));
}

TEST_F(Cgroups, LeafOfAnEarlierLifeIsEndedAndRemoved) {
  const Child child = spawn(spec({"/bin/sleep", "1000"}));
  ASSERT_EQ(outcome(child).state, LaunchState::Running);  // it is in its leaf
  auto next = make_life_mark(directory_.path());
  ASSERT_TRUE(next);
  const auto swept = sweep_earlier_lives(*next, seconds(20));
  ASSERT_TRUE(swept) << swept.error().text;
  EXPECT_EQ(swept->cgroups_removed, 1U);
  EXPECT_FALSE(std::filesystem::exists(life_path()));
  EXPECT_EQ(wait_burial(child).code, -SIGKILL);
}

// As the kernel does with what a worker made below its own: only what is empty can be removed.
TEST(CgroupLeaf, GoesWithWhatItsWorkerMadeBelowIt) {
  const TemporaryDirectory directory;
  const auto leaf = directory.path() + "/7";
  std::filesystem::create_directories(leaf + "/made/by/it");
  std::filesystem::create_directories(leaf + "/.hidden");
  EXPECT_TRUE(remove_cgroup(leaf));
  EXPECT_FALSE(std::filesystem::exists(leaf));
  EXPECT_TRUE(remove_cgroup(leaf)) << "nothing is there";
}

TEST(CgroupLeaf, OfAnEarlierLifeThatCannotBeRemovedHoldsNothingUp) {
  const TemporaryDirectory directory;
  const auto life = directory.path() + "/life";
  std::filesystem::create_directories(life + "/7/made/by/it");
  EXPECT_EQ(end_cgroup(life, seconds(1)), CgroupEnd::Removed);
  std::filesystem::create_directories(life + "/7/made");
  directory.file("life/7/made/that-stays", "", 0644);
  std::filesystem::create_directories(life + "/8");
  EXPECT_EQ(end_cgroup(life, seconds(1)), CgroupEnd::Stays);
  EXPECT_FALSE(std::filesystem::exists(life + "/8"));
}

TEST_F(Cgroups, WhatAWorkerMadeBelowItsLeafGoesWithIt) {
  const Child child = spawn(shell("echo up; read x <&3"));
  ASSERT_EQ(read_line(child.output.get()), "up");
  const std::string leaf = life_path() + "/" + std::to_string(child.worker.value);
  std::filesystem::create_directories(leaf + "/made/below");
  ASSERT_EQ(write(child.channel.get(), "\n", 1), 1);
  wait_burial(child);
  EXPECT_FALSE(std::filesystem::exists(leaf));
}

// Where the daemon's own cgroup passes memory on.
TEST_F(Cgroups, KillsForMemoryAreCountedWhereTheControllerIsOn) {
  std::ifstream on(own_cgroup() + "/cgroup.subtree_control");
  const std::string controllers{std::istreambuf_iterator<char>(on), {}};
  if (controllers.find("memory") == std::string::npos) GTEST_SKIP() << "it is not on here";
  const Child child = spawn(shell("read x <&3"));
  const CgroupLeaf leaf(life_path() + "/" + std::to_string(child.worker.value));
  EXPECT_TRUE(leaf.counts_ooms());
  port_->kill_tree(child.worker);
  wait_burial(child);
}

TEST(CgroupLeaf, CountsKillsForMemory) {
  const TemporaryDirectory directory;
  const CgroupLeaf leaf(directory.path());
  EXPECT_EQ(leaf.oom_kills(), 0U);
  EXPECT_FALSE(leaf.counts_ooms());
  directory.file("memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 3\noom_group_kill 0\n",
                 0644);
  EXPECT_EQ(leaf.oom_kills(), 3U);
  EXPECT_TRUE(leaf.counts_ooms());
}

TEST(CgroupLeaf, HoldsWhatItsListNames) {
  const TemporaryDirectory directory;
  const CgroupLeaf leaf(directory.path());
  EXPECT_FALSE(leaf.holds(42)) << "it is no cgroup";
  directory.file("cgroup.procs", "7\n421\n", 0644);
  EXPECT_TRUE(leaf.holds(421));
  EXPECT_FALSE(leaf.holds(42));
}

// Directories stand for cgroups: as of those, one with something below it does not go.
TEST(CgroupsLeft, AreRemovedSoManyInATurnAndAllInTheEnd) {
  const TemporaryDirectory directory;
  const std::string leaf = directory.path() + "/leaf";
  for (int i = 0; i < 100; ++i) std::filesystem::create_directories(leaf + "/" + std::to_string(i));
  LeavesLeft left;
  left.add(leaf);
  left.remove();
  EXPECT_GE(directories_in(leaf).size(), 100U - Removals::kOfTurn);
  for (int turn = 0; turn < 3; ++turn) left.remove();
  EXPECT_TRUE(left.empty());
  EXPECT_FALSE(std::filesystem::exists(leaf));
  EXPECT_TRUE(left.take_given_up().empty());
}

TEST(CgroupsLeft, ThatNeverGoAreGivenUpAndTold) {
  const TemporaryDirectory directory;
  const std::string leaf = directory.path() + "/leaf", other = directory.path() + "/other";
  std::filesystem::create_directories(leaf + "/below");
  std::filesystem::create_directories(other);
  const auto file = std::ofstream(leaf + "/below/file");  // so that rmdir fails
  LeavesLeft left;
  left.add(leaf);
  left.add(other);
  for (int turn = 0; turn < LeavesLeft::kTriesMax; ++turn) {
    EXPECT_TRUE(left.take_given_up().empty());
    left.remove();
  }
  EXPECT_TRUE(left.empty());
  EXPECT_THAT(left.take_given_up(), ::testing::ElementsAre(leaf));
  EXPECT_FALSE(std::filesystem::exists(other));
}

}  // namespace
}  // namespace warmpool::daemon
