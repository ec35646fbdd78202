// The command line in this process, with files in place of its standard descriptors.
#pragma once

#include <string>
#include <vector>

namespace warmpool::fake {

struct Ended {
  int status = 0;
  std::string out, err;
};

// `input`: what standard input holds.
Ended run_cli(const std::vector<std::string>& arguments, const std::string& input = "");

std::vector<std::string> lines_of(const std::string& text);

}  // namespace warmpool::fake
