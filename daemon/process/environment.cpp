// An allow-list, because a list of what to keep out is never complete. The daemon's own words come
// last, so that a class cannot forge a token or a mark.
#include "daemon/process/environment.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <unistd.h>

#include "daemon/process/life_mark.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::array<std::string_view, 9> kInherited{
    "PATH", "HOME", "LANG", "TZ", "TMPDIR", "USER", "LOGNAME", "SHELL", "WORKER_REGION"};

std::string_view name_of_entry(std::string_view entry) { return entry.substr(0, entry.find('=')); }

class Block {
 public:
  void set(std::string entry) {
    for (auto& old : entries_) {
      if (name_of_entry(old) == name_of_entry(entry)) {
        old = std::move(entry);
        return;
      }
    }
    entries_.push_back(std::move(entry));
  }
  void set(std::string_view name, std::string_view value) {
    set(std::string(name) + "=" + std::string(value));
  }
  void set_or_drop(std::string_view name, std::string_view value) {
    std::erase_if(entries_, [&](const auto& entry) { return name_of_entry(entry) == name; });
    if (!value.empty()) set(name, value);
  }
  std::vector<std::string> take() { return std::move(entries_); }

 private:
  std::vector<std::string> entries_;
};

void set_identity(Block& block, const Identity& identity) {
  block.set("HOME", identity.home);
  block.set("USER", identity.name);
  block.set("LOGNAME", identity.name);
  block.set("SHELL", identity.shell);
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) {
    if (!text.empty()) text += ',';
    text += word;
  }
  return text;
}

void set_of_worker(Block& block, const SpawnSpec& spec, const ChannelAddress& channel,
                   std::string_view mark) {
  const bool is_worker = spec.role == SpawnRole::Worker;
  const bool is_template = spec.role == SpawnRole::Template;
  const auto of_worker = [&](std::string text) { return is_worker ? std::move(text) : ""; };
  block.set_or_drop("WARMPOOL_TEMPLATE", is_template ? channel.number : "");
  block.set_or_drop("WARMPOOL_PRELOAD", joined(spec.preload));
  block.set_or_drop("WARMPOOL_CHANNEL", of_worker(channel.number));
  block.set_or_drop("WARMPOOL_FIFO_IN", channel.fifo_in);
  block.set_or_drop("WARMPOOL_FIFO_OUT", channel.fifo_out);
  block.set_or_drop("WARMPOOL_WORKER", of_worker(std::to_string(spec.worker.value)));
  block.set_or_drop("WARMPOOL_TOKEN", of_worker(std::to_string(spec.token)));
  block.set_or_drop("WARMPOOL_DIRECTORY", spec.directory);
  block.set("WARMPOOL_SLOT", spec.slot);
  block.set("WORKER_ID", spec.slot);
  block.set(kMarkVariable, mark);
}

bool is_entry(const std::string& entry) {
  const std::size_t equals = entry.find('=');
  return equals != std::string::npos && equals != 0 && entry.find('\0') == std::string::npos;
}

}  // namespace

bool is_inherited(std::string_view name) {
  return name.starts_with("LC_") || std::ranges::find(kInherited, name) != kInherited.end();
}

Result<std::vector<std::string>> build_environment(std::span<const std::string> of_daemon,
                                                   const SpawnSpec& spec,
                                                   const ChannelAddress& channel,
                                                   std::string_view mark,
                                                   std::string_view hostname) {
  Block block;
  block.set("PATH", "/usr/local/bin:/usr/bin:/bin");
  for (const auto& entry : of_daemon) {
    if (is_inherited(name_of_entry(entry)) && is_entry(entry)) block.set(entry);
  }
  if (spec.identity) set_identity(block, *spec.identity);
  for (const auto& entry : spec.environment) {
    if (!is_entry(entry)) {
      return Error{EINVAL, "cannot start " + spec.slot + ": environment entry '" + entry +
                               "' is not NAME=VALUE; correct `environment` of its class"};
    }
    block.set(entry);
  }
  set_of_worker(block, spec, channel, mark);
  block.set("SUPPORTED_TASK_TYPES", joined(spec.types));
  block.set("WORKER_HOSTNAME", hostname);
  return block.take();
}

std::vector<std::string> environment_of_forked(const SpawnSpec& spec, const ChannelAddress& channel,
                                               std::string_view mark) {
  Block block;
  set_of_worker(block, spec, channel, mark);
  return block.take();
}

std::vector<std::string> own_environment() {
  std::vector<std::string> entries;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    entries.emplace_back(*entry);
  }
  return entries;
}

}  // namespace warmpool::daemon
