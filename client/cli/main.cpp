#include <csignal>
#include <string>
#include <vector>

#include "client/cli/command_line.hpp"

int main(int argc, char** argv) {
  // A reader that goes away is an error of write, and ends the command quietly.
  std::signal(SIGPIPE, SIG_IGN);
  return warmpool::cli::run(std::vector<std::string>(argv + 1, argv + argc));
}
