// Finished lines on their way out: as they come, or in the order of the input.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "client/cli/output.hpp"

namespace warmpool::cli {

class MapWindow {
 public:
  MapWindow(Output& out, bool keep_order) : out_(out), keep_order_(keep_order) {}

  // The line with this place in the sequence (from 0, no gaps) is finished.
  void finish(std::uint64_t place, std::string line);
  // Bytes of lines that wait for an earlier one, or for whoever reads the output.
  std::size_t bytes() const { return held_bytes_ + out_.pending(); }
  std::size_t held() const { return held_.size(); }

 private:
  Output& out_;
  bool keep_order_;
  std::uint64_t next_ = 0;
  std::map<std::uint64_t, std::string> held_;
  std::size_t held_bytes_ = 0;
};

}  // namespace warmpool::cli
