// Where dead letters go that exceed their bounds: a file of JSON lines, so that none is dropped
// silently.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "daemon/bounded_file.hpp"
#include "daemon/log.hpp"
#include "pool/ids.hpp"

namespace warmpool::daemon {

// Bounds: kBytesMax, then the file becomes FILE.1, in place of an earlier one.
class Archive {
 public:
  using Describe = std::function<std::optional<std::string>(TaskId)>;  // one line of JSON

  // `path` empty: they are counted and dropped, and the log says so.
  Archive(std::string path, Log& log) : file_(std::move(path), kBytesMax), log_(log) {}
  void describe_by(Describe describe) { describe_ = std::move(describe); }

  void add(TaskId task);
  std::uint64_t count() const { return count_; }

  static constexpr std::uint64_t kBytesMax = 64U << 20;

 private:
  void tell(const std::string& fault);

  BoundedFile file_;
  Log& log_;
  Describe describe_;
  std::uint64_t count_ = 0;
  bool told_ = false;
};

}  // namespace warmpool::daemon
