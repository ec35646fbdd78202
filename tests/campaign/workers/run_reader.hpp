// Reads what workers write down of their runs, as it grows.
#pragma once

#include <fstream>
#include <string>

#include "tests/campaign/ledger.hpp"

namespace warmpool::campaign {

class RunReader {
 public:
  explicit RunReader(const std::string& path) : file_(path) {}
  // All lines that are there by now.
  const Runs& read();

 private:
  std::ifstream file_;
  std::string rest_;  // of a line that was not whole
  Runs runs_;
};

}  // namespace warmpool::campaign
