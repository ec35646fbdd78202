#include "client/cli/private_daemon.hpp"

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <unistd.h>

namespace warmpool::cli {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kReadyMax{60};
constexpr int kLookMs = 20;

Error failed(const std::string& what) { return {0, what + ": " + std::strerror(errno)}; }

void replace_all(std::string& text, std::string_view from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

void pause_for_a_moment() { ::poll(nullptr, 0, kLookMs); }

}  // namespace

std::string directory_of_this_program() {
  char path[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  if (length <= 0) return "";
  const std::string_view text(path, static_cast<std::size_t>(length));
  return std::string(text.substr(0, text.rfind('/')));
}

Result<void> PrivateDaemon::make_directory() {
  if (!directory_.empty()) return {};
  const char* usual = std::getenv("TMPDIR");
  std::string name = usual == nullptr || *usual == '\0' ? "/tmp" : usual;
  if (!base_.empty()) name = base_;
  name += "/warmpool-private.XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) return failed("cannot make " + name);
  directory_ = name;
  return {};
}

Result<void> PrivateDaemon::add_file(const std::string& name, const std::string& text) {
  if (auto made = make_directory(); !made) return made;
  std::ofstream file(directory_ + "/" + name);
  file << text;
  if (!file.flush()) return failed("cannot write " + directory_ + "/" + name);
  return {};
}

Result<void> PrivateDaemon::start(std::string toml, Interrupts& interrupts) {
  if (auto made = make_directory(); !made) return made;
  replace_all(toml, "@DIR@", directory_);
  replace_all(toml, "@BIN@", directory_of_this_program());
  if (auto written = add_file("warmpool.toml", toml); !written) return written;
  if (auto spawned = spawn(); !spawned) return spawned;
  return await_ready(interrupts);
}

Result<void> PrivateDaemon::spawn() {
  std::string program = directory_of_this_program() + "/warmpoold";
  if (::access(program.c_str(), X_OK) != 0) program = "warmpoold";
  const std::vector<std::string> words{program, "--config", directory_ + "/warmpool.toml",
                                       "--runtime-dir", directory_};
  auto spawned = process_.spawn(words, directory_ + "/log");
  if (spawned) return {};
  return Error{
      0, spawned.error().text + "; install it beside warmpool, or put its directory into PATH"};
}

Result<void> PrivateDaemon::await_ready(Interrupts& interrupts) {
  const auto deadline = steady_clock::now() + kReadyMax;
  client::ConnectOptions options;
  options.socket = socket();
  options.reconnect.enabled = false;
  while (!process_.ended()) {
    auto client = client::Client::connect(options);
    const auto status = client ? client->status(client::in(std::chrono::seconds(5)))
                               : Result<std::string>(client.error());
    if (status && status->find("\"initialized\":true") != std::string::npos) return {};
    if (steady_clock::now() > deadline) {
      return Error{0, "the workers of the private daemon were not ready within 60 s:\n" +
                          process_.last_words()};
    }
    if (interrupts.take()) return Error{0, "interrupted"};
    pause_for_a_moment();
  }
  return Error{0, "the private daemon ended at its start:\n" + process_.last_words()};
}

PrivateDaemon::~PrivateDaemon() {
  process_.end(SIGQUIT);
  std::error_code ignored;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

}  // namespace warmpool::cli
