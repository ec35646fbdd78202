// Where dead letters go that exceed their bounds: a file of JSON lines, so that none is dropped
// silently.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "daemon/log.hpp"
#include "ipc/fd.hpp"
#include "pool/ids.hpp"

namespace warmpool::daemon {

// Bounds: kBytesMax, then the file becomes FILE.1, in place of an earlier one.
class Archive {
 public:
  using Describe = std::function<std::optional<std::string>(TaskId)>;  // one line of JSON

  // `path` empty: they are counted and dropped, and the log says so.
  Archive(std::string path, Log& log) : path_(std::move(path)), log_(log) {}
  void describe_by(Describe describe) { describe_ = std::move(describe); }

  void add(TaskId task);
  std::uint64_t count() const { return count_; }

  static constexpr std::uint64_t kBytesMax = 64U << 20;

 private:
  bool open();
  void tell(const std::string& fault);

  std::string path_;
  Log& log_;
  Describe describe_;
  ipc::UniqueFd file_;
  std::uint64_t bytes_ = 0, count_ = 0;
  bool told_ = false;
};

}  // namespace warmpool::daemon
