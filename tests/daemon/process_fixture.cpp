#include "tests/daemon/process_fixture.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <stdexcept>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/process/process_sampler.hpp"
#include "daemon/process/process_tree.hpp"
#include "tests/support/places.hpp"

namespace warmpool::daemon {

bool wait_readable(int fd, int timeout_ms) {
  pollfd waiting{fd, POLLIN, 0};
  return poll(&waiting, 1, timeout_ms) == 1;
}

std::string read_all(int fd, int timeout_ms) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (wait_readable(fd, timeout_ms)) {
    const ssize_t bytes = read(fd, buffer.data(), buffer.size());
    if (bytes <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(bytes));
  }
  return text;
}

std::string read_line(int fd, int timeout_ms) {
  std::string line;
  char byte = 0;
  while (wait_readable(fd, timeout_ms) && read(fd, &byte, 1) == 1 && byte != '\n') line += byte;
  return line;
}

bool is_alive(pid_t pid) {
  const auto sampler = ProcessSampler::open(pid);
  if (!sampler) return false;
  const auto sample = sampler->sample();
  return sample && sample->state != 'Z' && sample->state != 'X';
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

std::string launcher() { return test::program("warmpool-launch"); }

TemporaryDirectory::TemporaryDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "warmpool-process-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "mkdtemp " << name << ": " << errno;
  // Workers of other users reach what is in it.
  chmod(name.c_str(), 0755);
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryDirectory::file(const std::string& name, const std::string& text,
                                     mode_t mode) const {
  const std::string path = path_ + "/" + name;
  std::ofstream(path) << text;
  chmod(path.c_str(), mode);
  return path;
}

void ProcessTest::SetUp() {
  ASSERT_TRUE(become_subreaper());
  auto mark = make_life_mark(directory_.path());
  ASSERT_TRUE(mark) << mark.error().text;
  mark_ = *mark;
  auto fifos = ipc::RuntimeDirectory::open(directory_.path());
  ASSERT_TRUE(fifos) << fifos.error().text;
  fifos_ = std::move(*fifos);
  start_port(CgroupUse::Never);
}

void ProcessTest::TearDown() {
  port_.reset();
  // Adopted ones: of those that were killed a moment ago, and of tests that failed half way.
  EXPECT_TRUE(eventually([] {
    for (const pid_t pid : children_of(getpid())) kill(pid, SIGKILL);
    return waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD;
  }));
}

void ProcessTest::start_port(CgroupUse cgroups, const std::string& launch_path) {
  port_.reset();
  auto port = make_linux_processes({launch_path, mark_, cgroups, &fifos_});
  ASSERT_TRUE(port) << port.error().text;
  port_ = std::move(*port);
}

SpawnSpec ProcessTest::spec(std::vector<std::string> command) {
  SpawnSpec made;
  made.worker = WorkerId{++last_worker_ << 16};
  made.token = 77;
  made.slot = "worker-0";
  made.command = std::move(command);
  made.types = {"echo", "file.*"};
  return made;
}

Child ProcessTest::spawn(const SpawnSpec& what) {
  auto child = port_->spawn(what);
  if (!child) throw std::runtime_error(child.error().text);
  return std::move(*child);
}

LaunchOutcome ProcessTest::outcome(const Child& child) {
  EXPECT_TRUE(wait_readable(child.launch_status.get()));
  return launch_outcome(child.launch_status.get());
}

Exit ProcessTest::wait_burial(const Child& child, std::string* output) {
  std::string text = output != nullptr ? read_all(child.output.get()) : "";
  EXPECT_TRUE(wait_readable(child.exit_notice.get()));
  Exit seen;
  EXPECT_TRUE(port_->bury(child.worker, [&seen](const Exit& exit) { seen = exit; }));
  if (output != nullptr) *output = std::move(text);
  return seen;
}

std::string ProcessTest::output_of(const SpawnSpec& what) {
  const Child child = spawn(what);
  std::string text;
  const Exit exit = wait_burial(child, &text);
  EXPECT_EQ(exit.code, 0) << read_all(child.errors.get(), 0)
                          << launch_outcome(child.launch_status.get()).error.text;
  return text;
}

LaunchOutcome ProcessTest::failure_of(const SpawnSpec& what) {
  const Child child = spawn(what);
  const LaunchOutcome seen = outcome(child);
  EXPECT_EQ(seen.state, LaunchState::Failed);
  const Exit exit = wait_burial(child);
  EXPECT_EQ(exit.cause, ExitCause::Exited);
  EXPECT_EQ(exit.code, 127);
  return seen;
}

}  // namespace warmpool::daemon
