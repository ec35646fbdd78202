// Children are found through the process table and not through the daemon, so that a test sees what
// is there and not what the daemon believes.
#include "tests/e2e/real_daemon.hpp"

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <signal.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tests/support/places.hpp"
#include "tests/support/transport.hpp"

namespace warmpool::test {
namespace {

using namespace std::chrono_literals;

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

int plain_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// As the built-in one.
std::string stock_class() {
  return "[[class]]\nname = \"worker\"\ncommand = [\"" + program_directory() +
         "/warmpool-worker\"]\ntypes = [\"echo\", \"sleep\", \"fail\", \"crash\", \"file.digest\", "
         "\"exec\"]\n";
}

// Every class over FIFOs, unless the test chooses by itself.
std::string with_fifos(std::string config) {
  if (config.find("channel = ") != config.npos) return config;
  const std::string head = "[[class]]\n", option = "channel = \"fifo\"\n";
  if (config.find(head) == config.npos) config += stock_class();
  for (std::size_t at = 0; (at = config.find(head, at)) != config.npos;) {
    at += head.size();
    config.insert(at, option);
  }
  return config;
}

}  // namespace

Ran run_shell(const std::string& command) {
  Ran ran;
  std::FILE* pipe = ::popen(command.c_str(), "re");
  if (pipe == nullptr) return {-1, {}};
  char buffer[65536];
  for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    ran.output.append(buffer, got);
  }
  ran.status = plain_status(::pclose(pipe));
  return ran;
}

RealDaemon::RealDaemon(Setup setup) : setup_(std::move(setup)) {
  if (over_fifos()) setup_.config = with_fifos(std::move(setup_.config));
  char name[] = "/tmp/warmpool-test.XXXXXX";
  if (::mkdtemp(name) != nullptr) directory_ = name;
  if (!setup_.config.empty()) std::ofstream(directory_ + "/warmpool.toml") << setup_.config;
  start();
}

RealDaemon::~RealDaemon() {
  if (running()) {
    signal(SIGQUIT);
    if (wait() < 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  // What a daemon that was killed has left outside.
  std::error_code none;
  const auto board = std::filesystem::read_symlink(directory_ + "/board", none);
  if (!none) std::filesystem::remove(board, none);
  std::filesystem::remove_all(directory_);
}

bool RealDaemon::start() {
  std::string line = setup_.prefix + " exec " + setup_.wrapper + " " + program(setup_.program) +
                     " --runtime-dir " + directory_;
  line +=
      setup_.config.empty() ? " --config /dev/null" : " --config " + directory_ + "/warmpool.toml";
  for (const auto& argument : setup_.arguments) line += " " + argument;
  line += setup_.descriptors.empty() ? " >>" + directory_ + "/log 2>&1 </dev/null"
                                     : " " + setup_.descriptors;
  pid_ = ::fork();
  if (pid_ == 0) {
    ::execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
    ::_exit(127);
  }
  return eventually([this] { return !running() || call("ping").status == 0; }) && running();
}

std::string RealDaemon::command(const std::string& arguments) const {
  return program("warmpool") + " --socket " + directory_ + "/warmpool.sock " + arguments;
}

Ran RealDaemon::call(const std::string& arguments) const {
  return run_shell(command(arguments) + " 2>>" + directory_ + "/talk");
}

// Of one that has ended the number is -1, which would be everybody.
void RealDaemon::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

bool RealDaemon::running() const {
  siginfo_t info{};
  if (pid_ <= 0) return false;
  const int looked = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
  return looked == 0 && info.si_pid == 0;
}

int RealDaemon::wait() {
  if (!eventually([this] { return !running(); }, 60s)) return -1;
  int status = 0;
  if (::waitpid(pid_, &status, 0) != pid_) return -1;
  pid_ = -1;
  return plain_status(status);
}

std::vector<pid_t> RealDaemon::workers() const {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string stat = read_file("/proc/" + name + "/stat");
    const auto end = stat.rfind(')');
    if (end == std::string::npos) continue;
    std::istringstream fields(stat.substr(end + 1));
    char state = 0;
    pid_t parent = 0;
    fields >> state >> parent;
    const bool is_worker = stat.find("(warmpool-worker)") != std::string::npos;
    if (parent == pid_ && state != 'Z' && is_worker) found.push_back(std::stoi(name));
  }
  return found;
}

std::string RealDaemon::log() const { return read_file(directory_ + "/log"); }

std::string RealDaemon::gated_task() const {
  return R"(exec '{"argv":["sh","-c","for i in $(seq 1200); do [ -e )" + directory_ +
         R"(/gate ] && break; sleep 0.05; done"]}')";
}

void RealDaemon::open_gate() const { std::ofstream(directory_ + "/gate"); }

nlohmann::json status_of(const RealDaemon& daemon) {
  const auto ran = daemon.call("status --json");
  return ran.status == 0 ? nlohmann::json::parse(ran.output) : nlohmann::json::object();
}

}  // namespace warmpool::test
