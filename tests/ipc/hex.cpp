#include "tests/ipc/hex.hpp"

#include <fstream>
#include <sstream>

namespace warmpool::ipc::test {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

std::optional<int> digit(char character) {
  const std::size_t at = kDigits.find(character);
  if (at == kDigits.npos) return std::nullopt;
  return static_cast<int>(at);
}

bool append_line(const std::string& line, std::string& bytes) {
  if (line.starts_with('#')) return true;
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    if (word.size() != 2 || !digit(word[0]) || !digit(word[1])) return false;
    bytes.push_back(static_cast<char>(*digit(word[0]) * 16 + *digit(word[1])));
  }
  return true;
}

}  // namespace

std::string to_hex(std::string_view bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
    text += i % 16 == 15 || i + 1 == bytes.size() ? '\n' : ' ';
  }
  return text;
}

std::optional<std::string> from_hex(std::string_view text) {
  std::string bytes;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    if (!append_line(line, bytes)) return std::nullopt;
  }
  return bytes;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace warmpool::ipc::test
