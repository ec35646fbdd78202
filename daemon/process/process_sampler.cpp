// pread on a descriptor kept open: opening the file anew would cost five times as much, and could
// meet another process under the same number.
#include "daemon/process/process_sampler.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include "daemon/process/process_portrait.hpp"

namespace warmpool::daemon {
namespace {

using Buffer = std::array<char, 1024>;  // stat has at most 52 numbers of 20 digits, mostly short

Result<ipc::UniqueFd> open_file(pid_t pid, const char* name) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + name;
  ipc::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd) return fd;
  const int code = errno;
  return Error{code,
               "cannot open " + path + ": " + strerrordesc_np(code) +
                   (code == EMFILE ? "; raise the limit of open files" : "; is /proc mounted?")};
}

std::string_view read_text(int fd, Buffer& buffer) {
  const ssize_t bytes = pread(fd, buffer.data(), buffer.size(), 0);
  return {buffer.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0};
}

// The `index`-th (from 0) blank-separated number of `text`.
std::optional<std::uint64_t> number_at(std::string_view text, std::size_t index) {
  for (; index > 0; --index) {
    const std::size_t blank = text.find(' ');
    if (blank == std::string_view::npos) return std::nullopt;
    text.remove_prefix(blank + 1);
  }
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  return number;
}

const std::int64_t kTickNs = 1'000'000'000 / sysconf(_SC_CLK_TCK);

}  // namespace

std::optional<StatTimes> parse_stat_times(std::string_view stat) {
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= stat.size()) return std::nullopt;
  // From the state on: state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime
  // stime
  const std::string_view fields = stat.substr(name_end + 2);
  const auto user = number_at(fields, 11), system = number_at(fields, 12);
  if (!user || !system) return std::nullopt;
  return StatTimes{fields[0], Duration{static_cast<std::int64_t>(*user) * kTickNs},
                   Duration{static_cast<std::int64_t>(*system) * kTickNs}};
}

std::optional<ProcessSample> parse_stat(std::string_view stat) {
  const auto times = parse_stat_times(stat);
  if (!times) return std::nullopt;
  ProcessSample sample;
  sample.state = times->state;
  sample.cpu_time = times->user + times->system;
  return sample;
}

Result<ProcessSampler> ProcessSampler::open(pid_t pid) {
  auto stat = open_file(pid, "stat");
  if (!stat) return stat.error();
  ProcessSampler sampler;
  sampler.stat_ = std::move(*stat);
  return sampler;
}

void ProcessSampler::look_closely(pid_t pid, ProcessSample& sample) {
  std::array<char, 4096> buffer;
  const auto read = [&](const char* name) -> std::string_view {
    auto fd = open_file(pid, name);
    const ssize_t bytes = fd ? ::read(fd->get(), buffer.data(), buffer.size()) : 0;
    return {buffer.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0};
  };
  sample.voluntary_switches = status_number(read("status"), "voluntary_ctxt_switches").value_or(0);
  const auto channel = read("wchan");
  sample.wait_channel = channel == "0" ? std::string() : std::string(channel);
}

std::optional<ProcessSample> ProcessSampler::sample() const {
  Buffer buffer;
  return parse_stat(read_text(stat_.get(), buffer));
}

}  // namespace warmpool::daemon
