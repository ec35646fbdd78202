// Every way a spawn can fail tells why at once, and every way to end is told as it was.
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include "daemon/launch/report.hpp"
#include "tests/daemon/process_fixture.hpp"

namespace warmpool::daemon {
namespace {

using ::testing::HasSubstr;

class Spawn : public ProcessTest {};

TEST_F(Spawn, RunsAProgramAndSaysSo) {
  const Child child = spawn(shell("exec cat >&2"));
  EXPECT_EQ(outcome(child).state, LaunchState::Running);
  EXPECT_EQ(wait_burial(child).code, 0);
}

TEST_F(Spawn, MissingProgramIsToldWithItsPath) {
  const auto seen = failure_of(spec({"/nowhere/worker"}));
  EXPECT_EQ(seen.error.code, ENOENT);
  EXPECT_THAT(seen.error.text,
              HasSubstr("/nowhere/worker: No such file or directory; check `command`"));
}

TEST_F(Spawn, NameIsLookedForInThePathOfItsOwnEnvironment) {
  directory_.file("own-worker", "#!/bin/sh\necho found\n", 0755);
  SpawnSpec what = spec({"own-worker"});
  what.environment = {"PATH=/nowhere:" + directory_.path()};
  EXPECT_EQ(output_of(what), "found\n");
  what.worker = WorkerId{++last_worker_ << 16};
  what.environment = {"PATH=/nowhere:/nowhere/else"};
  EXPECT_THAT(failure_of(what).error.text, HasSubstr("own-worker: No such file or directory"));
}

TEST_F(Spawn, FileWithoutPermissionInThePathIsToldUnlessAnotherIsFound) {
  const std::string plain = directory_.file("own-worker", "#!/bin/sh\n", 0644);
  SpawnSpec what = spec({"own-worker"});
  what.environment = {"PATH=" + directory_.path() + ":/nowhere"};
  EXPECT_THAT(failure_of(what).error.text, HasSubstr(plain + ": Permission denied"));
  std::filesystem::create_directory(directory_.path() + "/bin");
  directory_.file("bin/own-worker", "#!/bin/sh\necho found\n", 0755);
  what.worker = WorkerId{++last_worker_ << 16};
  what.environment = {"PATH=" + directory_.path() + ":" + directory_.path() + "/bin"};
  EXPECT_EQ(output_of(what), "found\n");
}

TEST_F(Spawn, FileWithoutExecutePermissionIsTold) {
  const auto seen = failure_of(spec({directory_.file("plain", "#!/bin/sh\n", 0644)}));
  EXPECT_EQ(seen.error.code, EACCES);
  EXPECT_THAT(seen.error.text, HasSubstr("make it executable"));
}

TEST_F(Spawn, DirectoryIsTold) {
  const auto seen = failure_of(spec({directory_.path()}));
  EXPECT_EQ(seen.error.code, EISDIR);
  EXPECT_THAT(seen.error.text, HasSubstr("name a program"));
}

TEST_F(Spawn, FileThatIsNoProgramIsNotGivenToAShell) {
  const auto seen = failure_of(spec({directory_.file("text", "echo hello\n", 0755)}));
  EXPECT_EQ(seen.error.code, ENOEXEC);
  EXPECT_THAT(seen.error.text, HasSubstr("begins with #!"));
}

TEST_F(Spawn, MissingInterpreterIsToldFromAMissingProgram) {
  const auto seen = failure_of(spec({directory_.file("script", "#!/nowhere/python\n", 0755)}));
  EXPECT_EQ(seen.error.code, ENOENT);
  EXPECT_THAT(seen.error.text, HasSubstr("the file is there"));
}

TEST_F(Spawn, ProgramThatIsBeingWrittenIsTold) {
  const std::string path = directory_.path() + "/copy";
  std::filesystem::copy_file("/bin/true", path);
  const ipc::UniqueFd writer(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(failure_of(spec({path})).error.code, ETXTBSY);
}

TEST_F(Spawn, MissingWorkingDirectoryIsTold) {
  SpawnSpec what = shell("true");
  what.working_directory = "/nowhere/at/all";
  const auto seen = failure_of(what);
  EXPECT_EQ(seen.error.code, ENOENT);
  EXPECT_THAT(seen.error.text, HasSubstr("cannot enter /nowhere/at/all"));
  EXPECT_THAT(seen.error.text, HasSubstr("working_directory"));
}

TEST_F(Spawn, WorkingDirectoryIsEnteredAsTheWorkersUser) {
  if (geteuid() != 0) GTEST_SKIP() << "only root becomes another user";
  auto nobody = find_identity("nobody");
  ASSERT_TRUE(nobody);
  const std::string closed = directory_.path() + "/closed";
  std::filesystem::create_directory(closed);
  std::filesystem::permissions(closed, std::filesystem::perms::owner_all);
  SpawnSpec what = shell("true");
  what.identity = *nobody;
  what.working_directory = closed;
  EXPECT_EQ(failure_of(what).error.code, EACCES);
}

TEST_F(Spawn, LimitThatCannotBeSetIsTold) {
  SpawnSpec what = shell("true");
  what.limits = {{RLIMIT_NOFILE, RLIM_INFINITY, RLIM_INFINITY}};
  EXPECT_THAT(failure_of(what).error.text, HasSubstr("resource limit number 07"));
}

TEST_F(Spawn, UnknownCpuIsTold) {
  SpawnSpec what = shell("true");
  what.cpus = {1000};
  EXPECT_THAT(failure_of(what).error.text, HasSubstr("bind the worker to its CPUs"));
}

TEST_F(Spawn, EnvironmentEntryWithoutNameIsRefused) {
  SpawnSpec what = shell("true");
  what.environment = {"=value"};
  const auto child = port_->spawn(what);
  ASSERT_FALSE(child);
  EXPECT_THAT(child.error().text, HasSubstr("NAME=VALUE"));
}

TEST_F(Spawn, ArgumentWithNulIsRefused) {
  const auto child = port_->spawn(spec({"/bin/echo", std::string("a\0b", 3)}));
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code, EINVAL);
}

TEST_F(Spawn, TooManyArgumentsAreToldAndNothingIsLeft) {
  const std::size_t before = open_descriptors();
  const auto child = port_->spawn(spec({"/bin/echo", std::string(std::size_t{1} << 20, 'x')}));
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code, E2BIG);
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(Spawn, NoDescriptorsLeftIsToldAndNothingIsLeft) {
  rlimit old{};
  getrlimit(RLIMIT_NOFILE, &old);
  const std::size_t before = open_descriptors();
  for (rlim_t extra = 4; extra < 16; ++extra) {
    const rlimit tight{before + extra, old.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
    SpawnSpec what = shell("true");
    const auto child = port_->spawn(what);
    setrlimit(RLIMIT_NOFILE, &old);
    if (child) {
      wait_burial(*child);
      continue;
    }
    EXPECT_THAT(child.error().text, HasSubstr("open files"));
    EXPECT_EQ(open_descriptors(), before) << extra;
  }
}

TEST_F(Spawn, MissingLauncherIsRefusedAtTheStart) {
  const auto port = make_linux_processes({directory_.path() + "/none", mark_, CgroupUse::Never});
  ASSERT_FALSE(port);
  EXPECT_THAT(port.error().text, HasSubstr("launch_path"));
}

TEST_F(Spawn, UnknownUserIsRefusedWithAdvice) {
  const auto identity = find_identity("no-such-user-here");
  ASSERT_FALSE(identity);
  EXPECT_EQ(identity.error().code, ENOENT);
  EXPECT_THAT(identity.error().text, HasSubstr("create it"));
}

TEST_F(Spawn, ExitStatusIsTold) {
  for (const int status : {0, 1, 42, 127, 255}) {
    const Exit exit = wait_burial(spawn(shell("exit " + std::to_string(status))));
    EXPECT_EQ(exit.cause, ExitCause::Exited);
    EXPECT_EQ(exit.code, status);
  }
}

TEST_F(Spawn, EndingSignalIsTold) {
  for (const int number : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGTERM}) {
    const Exit exit = wait_burial(spawn(shell("kill -" + std::to_string(number) + " $$")));
    EXPECT_EQ(exit.cause, ExitCause::Signalled);
    EXPECT_EQ(exit.code, -number);
    EXPECT_FALSE(exit.core_dumped);
  }
}

TEST_F(Spawn, SignalReachesTheWorker) {
  const Child child = spawn(shell("trap 'exit 9' TERM; echo up; while :; do read line; done"));
  ASSERT_EQ(read_line(child.output.get()), "up");
  ASSERT_TRUE(port_->signal(child.worker, SIGTERM));
  EXPECT_EQ(wait_burial(child).code, 9);
}

TEST_F(Spawn, SignalBeforeTheBurialIsHarmless) {
  const Child child = spawn(shell("exit 3"));
  ASSERT_TRUE(wait_readable(child.exit_notice.get()));
  EXPECT_TRUE(port_->signal(child.worker, SIGTERM));
  EXPECT_EQ(wait_burial(child).code, 3);
}

TEST_F(Spawn, LivingWorkerIsNotBuried) {
  const Child sleeper = spawn(spec({"/bin/sleep", "1000"}));
  EXPECT_FALSE(port_->inspect(sleeper.worker).has_value());
  EXPECT_FALSE(port_->bury(sleeper.worker, [](const Exit&) { FAIL(); }));
  port_->kill_tree(sleeper.worker);
  EXPECT_EQ(wait_burial(sleeper).code, -SIGKILL);
}

TEST_F(Spawn, WhatWasWrittenBeforeDeathIsThereAtTheBurial) {
  const Child child = spawn(shell("echo out; echo err >&2; echo chan >&3; exit 5"));
  ASSERT_TRUE(wait_readable(child.exit_notice.get()));
  const bool buried = port_->bury(child.worker, [&child](const Exit& exit) {
    EXPECT_EQ(exit.code, 5);
    EXPECT_EQ(bytes_waiting(child.output.get()), 4U);
    EXPECT_EQ(bytes_waiting(child.errors.get()), 4U);
    EXPECT_EQ(bytes_waiting(child.channel.get()), 5U);
    EXPECT_EQ(launch_outcome(child.launch_status.get()).state, LaunchState::Running);
    EXPECT_TRUE(std::filesystem::exists("/proc/" + std::to_string(child.pid)));
  });
  EXPECT_TRUE(buried);
  EXPECT_FALSE(std::filesystem::exists("/proc/" + std::to_string(child.pid)));
}

// The daemon may die before its child asks to die with it; then the parent is another one already.
TEST_F(Spawn, LauncherOfAnotherParentStartsNothing) {
  const std::string proof = directory_.path() + "/started";
  const std::string path = launcher();
  const char* arguments[] = {"warmpool-launch", "parent=1",    "--",
                             "/bin/touch",      proof.c_str(), nullptr};
  pid_t pid = 0;
  ASSERT_EQ(posix_spawn(&pid, path.c_str(), nullptr, nullptr, const_cast<char* const*>(arguments),
                        environ),
            0);
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(WEXITSTATUS(status), launch::kFailedStatus);
  EXPECT_FALSE(std::filesystem::exists(proof));
}

// Eight each is what a start reckons with.
TEST_F(Spawn, HasEightDescriptorsAndOneForItsChildUntilItIsBuried) {
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 100; ++i) {
    {
      const Child child = spawn(shell("sleep 1000 & echo up; wait"));
      ASSERT_EQ(read_line(child.output.get()), "up");
      ASSERT_TRUE(port_->memory(child.worker, MemoryLook::Deep));
      EXPECT_EQ(open_descriptors(), before + 9);
      port_->kill_tree(child.worker);
      EXPECT_EQ(wait_burial(child).code, -SIGKILL);
      port_->reap_orphans();
    }
    ASSERT_EQ(open_descriptors(), before) << i;
  }
}

TEST_F(Spawn, TwoHundredWorkersLeaveNeitherZombieNorDescriptor) {
  rlimit files{};  // as the daemon does at its start
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  if (files.rlim_max < 4096) GTEST_SKIP() << "200 workers need more descriptors than may be had";
  files.rlim_cur = files.rlim_max;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
  const std::size_t before = open_descriptors();
  std::vector<Child> children;
  for (int i = 0; i < 200; ++i) children.push_back(spawn(spec({"/bin/true"})));
  for (const auto& child : children) EXPECT_EQ(wait_burial(child).code, 0);
  children.clear();
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

}  // namespace
}  // namespace warmpool::daemon
