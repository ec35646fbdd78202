// What a daemon tells a worker before their first frame: docs/protocol.md, section 1.
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <sys/stat.h>

#include "worker/worker.hpp"

namespace warmpool::worker {
namespace {

constexpr char kByHand[] =
    "is not set: a worker is started by the daemon, which hands it a channel. Start warmpoold with "
    "a class whose `command` is this program; see docs/worker.md";

template <class Number>
Result<Number> number_from(const char* variable, Number minimum, Number maximum) {
  const std::string name = variable;
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0') return Error{0, name + " " + kByHand};
  Number number{};
  const char* end = text + std::strlen(text);
  const auto [stop, fault] = std::from_chars(text, end, number);
  if (fault != std::errc{} || stop != end || number < minimum || number > maximum) {
    return Error{0, name + "=" + text + " is no whole number from " + std::to_string(minimum) +
                        " to " + std::to_string(maximum) + "; it is set by the daemon, see " +
                        "docs/protocol.md"};
  }
  return number;
}

Result<void> check_channel(int fd) {
  struct stat found {};
  const std::string name = "WARMPOOL_CHANNEL=" + std::to_string(fd);
  if (::fstat(fd, &found) != 0) {
    return Error{errno, name + " is no open descriptor (" + std::strerror(errno) +
                            "); a program between the daemon and this worker closed it: let it " +
                            "keep its descriptors, or name this worker in `command` itself"};
  }
  if (!S_ISSOCK(found.st_mode)) {
    return Error{ENOTSOCK, name + " is no socket; it must be the channel that the daemon made"};
  }
  return {};
}

}  // namespace

Result<Settings> Settings::from_environment() {
  constexpr std::uint64_t kMax = ~std::uint64_t{0};
  Settings settings;
  const auto channel = number_from<int>("WARMPOOL_CHANNEL", 0, 1 << 30);
  if (!channel) return channel.error();
  const auto id = number_from<std::uint64_t>("WARMPOOL_WORKER", 0, kMax);
  if (!id) return id.error();
  const auto token = number_from<std::uint64_t>("WARMPOOL_TOKEN", 0, kMax);
  if (!token) return token.error();
  if (const auto checked = check_channel(*channel); !checked) return checked.error();
  if (std::getenv("WARMPOOL_CREDITS") != nullptr) {
    const auto credits = number_from<unsigned>("WARMPOOL_CREDITS", 1, kCreditsMax);
    if (!credits) return credits.error();
    settings.credits = *credits;
  }
  settings.channel = *channel;
  settings.worker = *id;
  settings.token = *token;
  return settings;
}

}  // namespace warmpool::worker
