// What a daemon tells a worker before their first frame: docs/protocol.md, section 1.
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>

#include "ipc/fifo.hpp"
#include "ipc/spin.hpp"
#include "pool/options.hpp"
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

Result<int> inherited_channel() {
  const auto fd = number_from<int>("WARMPOOL_CHANNEL", 0, 1 << 30);
  if (!fd) return fd.error();
  struct stat found {};
  const std::string name = "WARMPOOL_CHANNEL=" + std::to_string(*fd);
  if (::fstat(*fd, &found) != 0) {
    return Error{errno, name + " is no open descriptor (" + std::strerror(errno) +
                            "); a program between the daemon and this worker closed it: let it " +
                            "keep its descriptors, or name this worker in `command` itself"};
  }
  if (!S_ISSOCK(found.st_mode)) {
    return Error{ENOTSOCK, name + " is no socket; it must be the channel that the daemon made"};
  }
  return *fd;
}

Result<ipc::UniqueFd> fifo_from(const char* variable, int mode) {
  const char* path = std::getenv(variable);
  if (path == nullptr || *path == '\0') return Error{0, std::string(variable) + " " + kByHand};
  auto fd = ipc::open_fifo(AT_FDCWD, path, mode, ::geteuid());
  if (fd) return fd;
  return Error{fd.error().code, std::string(variable) + "=" + fd.error().text +
                                    "; it must be the FIFO that the daemon made for this worker, "
                                    "and that daemon must be alive"};
}

bool is_over_fifos() {
  return std::getenv("WARMPOOL_FIFO_IN") != nullptr || std::getenv("WARMPOOL_FIFO_OUT") != nullptr;
}

// Last of all: what was opened is given away.
Result<void> open_channel(Settings& settings) {
  if (!is_over_fifos()) {
    const auto channel = inherited_channel();
    if (!channel) return channel.error();
    settings.channel = *channel;
    return {};
  }
  auto in = fifo_from("WARMPOOL_FIFO_IN", O_RDONLY);
  if (!in) return in.error();
  auto out = fifo_from("WARMPOOL_FIFO_OUT", O_WRONLY);
  if (!out) return out.error();
  settings.channel = in->release();
  settings.channel_out = out->release();
  return {};
}

}  // namespace

Result<Duration> Settings::spin_from_environment() {
  const char* text = std::getenv("WARMPOOL_SPIN");
  if (text == nullptr || *text == '\0') return Duration{};
  const auto spin = parse_duration(text);
  if (spin && *spin <= ipc::kSpinMax) return *spin;
  return Error{0, std::string("WARMPOOL_SPIN=") + text + " is no time from 0 to " +
                      duration_text(ipc::kSpinMax) +
                      ", as 50us; the daemon sets it to its option spin, see docs/worker.md"};
}

Result<Settings> Settings::from_environment() {
  constexpr std::uint64_t kMax = ~std::uint64_t{0};
  Settings settings;
  const auto id = number_from<std::uint64_t>("WARMPOOL_WORKER", 0, kMax);
  if (!id) return id.error();
  const auto token = number_from<std::uint64_t>("WARMPOOL_TOKEN", 0, kMax);
  if (!token) return token.error();
  if (std::getenv("WARMPOOL_CREDITS") != nullptr) {
    const auto credits = number_from<unsigned>("WARMPOOL_CREDITS", 1, kCreditsMax);
    if (!credits) return credits.error();
    settings.credits = *credits;
  }
  const auto spin = spin_from_environment();
  if (!spin) return spin.error();
  settings.spin = *spin;
  settings.worker = *id;
  settings.token = *token;
  if (const auto opened = open_channel(settings); !opened) return opened.error();
  return settings;
}

}  // namespace warmpool::worker
