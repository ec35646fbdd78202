#include "tests/support/places.hpp"

namespace warmpool::test {

std::string program_directory() { return WARMPOOL_BIN_DIR; }

std::string program(std::string_view name) { return program_directory() + "/" + std::string(name); }

std::string source_file(std::string_view path) {
  return std::string(WARMPOOL_SOURCE_DIR) + "/" + std::string(path);
}

}  // namespace warmpool::test
