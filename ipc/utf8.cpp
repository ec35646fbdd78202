// UTF-8, checked as Table 3-7 of the Unicode standard has it. Nearly all texts are ASCII, so eight
// bytes at a time are tried first; the rest goes character by character.
#include <cstdint>
#include <cstring>

#include "ipc/bytes.hpp"
#include "ipc/codec.hpp"

namespace warmpool::ipc {
namespace {

bool is_between(unsigned char byte, unsigned low, unsigned high) {
  return byte >= low && byte <= high;
}

// Bytes of the character that starts at text[0], or 0 if it is not well formed.
std::size_t character_bytes(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  const std::size_t bytes = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return 0;
  const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;   // no overlong forms
  const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;  // no surrogates
  if (!is_between(at(1), low, high)) return 0;
  for (std::size_t i = 2; i < bytes; ++i) {
    if (!is_between(at(i), 0x80, 0xbf)) return 0;
  }
  return bytes;
}

std::size_t ascii_prefix(std::string_view text) {
  std::size_t bytes = 0;
  for (std::uint64_t word; bytes + sizeof word <= text.size(); bytes += sizeof word) {
    std::memcpy(&word, text.data() + bytes, sizeof word);
    if ((word & 0x8080808080808080U) != 0) break;
  }
  return bytes;
}

std::size_t valid_prefix(std::string_view text, std::size_t bytes_max) {
  std::size_t valid = 0;
  while (valid < text.size()) {
    std::size_t bytes = ascii_prefix(text.substr(valid));
    if (bytes == 0) bytes = character_bytes(text.substr(valid));
    if (bytes == 0) return valid;
    if (valid + bytes > bytes_max) {
      const bool is_ascii = static_cast<unsigned char>(text[valid]) < 0x80;
      return is_ascii ? bytes_max : valid;
    }
    valid += bytes;
  }
  return valid;
}

}  // namespace

bool is_utf8(std::string_view text) { return valid_prefix(text, text.size()) == text.size(); }

std::string_view cut_text(std::string_view text, std::size_t bytes_max) {
  const std::string_view before_nul = text.substr(0, text.find('\0'));
  return before_nul.substr(0, valid_prefix(before_nul, bytes_max));
}

}  // namespace warmpool::ipc
