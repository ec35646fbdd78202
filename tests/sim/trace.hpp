// The lines of a run: kept (the last ones), printed, or folded into one number. Off in normal runs;
// a run that broke a rule is run again with it on, since a seed always gives the same run.
#pragma once

#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>

namespace warmpool::sim {

class Trace {
 public:
  explicit Trace(bool prints) : prints_(prints) {}

  void line(const std::string& text) {
    for (const char c : text) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    if (prints_) std::puts(text.c_str());
    last_.push_back(text);
    if (last_.size() > kLines) last_.pop_front();
  }
  const std::deque<std::string>& last() const { return last_; }
  std::uint64_t hash() const { return hash_; }  // FNV-1a of all lines

 private:
  static constexpr std::size_t kLines = 40;
  bool prints_;
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
  std::deque<std::string> last_;
};

}  // namespace warmpool::sim
