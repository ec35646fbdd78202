#include "tests/campaign/upkeep.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <sqlite3.h>

#include "client/client.hpp"

namespace warmpool::campaign {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

// Its crash is an exit with this status.
constexpr int kCrashStatus = 9;

double milliseconds_since(steady_clock::time_point begun) {
  return std::chrono::duration<double, std::milli>(steady_clock::now() - begun).count();
}

// Fields 14 and 15 of proc(5), in clock ticks.
std::uint64_t ticks_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::stringstream text;
  text << file.rdbuf();
  const auto end = text.str().rfind(')');
  if (end == std::string::npos) return 0;
  std::istringstream fields(text.str().substr(end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  std::uint64_t user = 0, system = 0;
  fields >> user >> system;
  return user + system;
}

int add_name(void* names, int, char** values, char**) {
  static_cast<Names*>(names)->emplace(values[0]);
  return 0;
}

}  // namespace

Names files_in(const std::string& directory) {
  Names names;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(directory, none)) {
    names.insert(entry.path().filename());
  }
  return names;
}

Names files_named_by(const std::string& database) {
  Names names;
  sqlite3* open = nullptr;
  char* error = nullptr;
  int code = ::sqlite3_open_v2(database.c_str(), &open, SQLITE_OPEN_READONLY, nullptr);
  if (code == SQLITE_OK) {
    code = ::sqlite3_exec(open,
                          "SELECT file || '.payload' FROM tasks WHERE file IS NOT NULL UNION ALL "
                          "SELECT file || '.result' FROM results WHERE file IS NOT NULL",
                          add_name, &names, &error);
  }
  if (code != SQLITE_OK) names.insert(error != nullptr ? error : "the database does not open");
  ::sqlite3_free(error);
  ::sqlite3_close(open);
  return names;
}

std::vector<std::string> differences(const Names& files, const Names& rows) {
  std::vector<std::string> lines;
  for (const auto& name : files) {
    if (!rows.contains(name)) lines.push_back("no row names the file " + name);
  }
  for (const auto& name : rows) {
    if (!files.contains(name)) lines.push_back("there is no file " + name);
  }
  return lines;
}

std::vector<std::string> half_made(const Names& files) {
  std::vector<std::string> found;
  for (const auto& name : files) {
    if (name.ends_with(".part") || name.ends_with(".new")) found.push_back(name);
  }
  return found;
}

std::vector<std::string> unexplained(const std::vector<Heard>& heard, const Causes& causes) {
  std::uint64_t kills = 0, crashes = 0;
  std::vector<std::string> lines;
  for (const auto& one : heard) {
    // Of a daemon that stops, in order or at once.
    const bool meant = one.cause == "requested" || one.cause == "shutdown";
    if (one.event != "worker-exited" || meant) continue;
    if (one.code == -SIGKILL && ++kills <= causes.kills) continue;
    if (one.code == kCrashStatus && ++crashes <= causes.crashes) continue;
    lines.push_back("worker " + std::to_string(one.worker) +
                    " was in order and ended: " + one.cause + " " + std::to_string(one.code));
  }
  return lines;
}

double health_within(const std::string& socket) {
  const auto begun = steady_clock::now();
  auto client = client::Client::connect({.socket = socket, .name = "health"});
  if (!client) return -1;
  const auto told = client->status(client::in(20s));
  if (!told) return -1;
  const auto document = nlohmann::json::parse(*told, nullptr, false);
  return document.is_object() && document.contains("health") ? milliseconds_since(begun) : -1;
}

double cpu_share(pid_t pid, std::chrono::milliseconds duration) {
  const auto begun = steady_clock::now();
  const auto before = ticks_of(pid);
  ::poll(nullptr, 0, static_cast<int>(duration.count()));
  const auto used = static_cast<double>(ticks_of(pid) - before);
  return used / static_cast<double>(::sysconf(_SC_CLK_TCK)) * 1e3 / milliseconds_since(begun);
}

}  // namespace warmpool::campaign
