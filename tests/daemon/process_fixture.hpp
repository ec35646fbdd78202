// Real children behind a real port, in a runtime directory of their own; nothing is left behind.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/process/launch_outcome.hpp"
#include "daemon/process/linux_processes.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::daemon {

using test::eventually;

bool wait_readable(int fd, int timeout_ms = test::patience_ms());
// Until the end of the stream or `timeout_ms` of silence.
std::string read_all(int fd, int timeout_ms = test::patience_ms());
// One line, without its newline.
std::string read_line(int fd, int timeout_ms = test::patience_ms());
bool is_alive(pid_t pid);  // exists and is no zombie
std::size_t open_descriptors();
std::string launcher();
// Empty, removed with all in it at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }
  std::string file(const std::string& name, const std::string& text, mode_t mode) const;

 private:
  std::string path_;
};

class ProcessTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  void start_port(CgroupUse cgroups, const std::string& launch_path = launcher());
  SpawnSpec spec(std::vector<std::string> command);
  SpawnSpec shell(const std::string& script) { return spec({"/bin/sh", "-c", script}); }
  SpawnSpec python(const std::string& script) { return spec({"/usr/bin/python3", "-c", script}); }
  // Fails the test and ends it where the spawn is refused.
  Child spawn(const SpawnSpec& what);
  LaunchOutcome outcome(const Child& child);
  // Its death, with what was on stdout; buried when it returns.
  Exit wait_burial(const Child& child, std::string* output = nullptr);
  // Spawn, wait, bury: what it wrote to stdout.
  std::string output_of(const SpawnSpec& what);
  LaunchOutcome failure_of(const SpawnSpec& what);

  TemporaryDirectory directory_;
  ipc::RuntimeDirectory fifos_;  // the same
  LifeMark mark_;
  std::unique_ptr<ProcessPort> port_;
  std::uint64_t last_worker_ = 0;
};

}  // namespace warmpool::daemon
