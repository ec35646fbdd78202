#include "tests/client/cli_runner.hpp"

#include <csignal>
#include <sys/mman.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "client/cli/command_line.hpp"
#include "client/cli/input.hpp"
#include "ipc/fd.hpp"

namespace warmpool::fake {

namespace {

ipc::UniqueFd file_with(const std::string& text) {
  ipc::UniqueFd fd(::memfd_create("cli", MFD_CLOEXEC));
  EXPECT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_SET), 0);
  return fd;
}

std::string text_of(int fd) {
  EXPECT_EQ(::lseek(fd, 0, SEEK_SET), 0);
  auto text = cli::read_all(fd, "output", 1U << 30);
  EXPECT_TRUE(text);
  return text ? *text : "";
}

}  // namespace

Ended run_cli(const std::vector<std::string>& arguments, const std::string& input) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto in = file_with(input), out = file_with(""), err = file_with("");
  Ended ended;
  ended.status = cli::run(arguments, {in.get(), out.get(), err.get()});
  ended.out = text_of(out.get());
  ended.err = text_of(err.get());
  return ended;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

}  // namespace warmpool::fake
