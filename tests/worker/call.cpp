#include "tests/worker/call.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace warmpool::worker::testing {

Call::Call(std::string_view payload, Content content) : cancel_(std::move(*EventFd::make())) {
  attempt_.type = "t";
  attempt_.payload = payload;
  attempt_.content = content;
  attempt_.deadline = Context::Clock::time_point::max();
}

Answer Call::run(const Handler& handler) {
  attempt_.key = key;
  attempt_.failures = failures;
  attempt_.checkpoint_wanted = checkpoint_wanted;
  attempt_.directory = directory;
  Context context(attempt_, cancel_, *this, Context::Clock::now());
  return handler(context);
}

Answer call(Answer (*handler)(Context&), std::string_view payload) {
  return Call(payload).run(handler);
}

Scratch::Scratch() {
  std::string name = (std::filesystem::temp_directory_path() / "warmpool-worker-XXXXXX").string();
  EXPECT_NE(nullptr, ::mkdtemp(name.data()));
  directory_ = name;
}

Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string Scratch::write(std::string_view name, std::string_view bytes) const {
  std::ofstream file(path(name), std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  EXPECT_TRUE(file.good());
  return path(name);
}

std::string output_of(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "re");
  EXPECT_NE(nullptr, pipe);
  std::string text;
  std::array<char, 4096> piece;
  while (const std::size_t bytes = std::fread(piece.data(), 1, piece.size(), pipe)) {
    text.append(piece.data(), bytes);
  }
  EXPECT_EQ(0, ::pclose(pipe));
  return text;
}

}  // namespace warmpool::worker::testing
