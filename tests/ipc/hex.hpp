// Bytes as people read them in golden files and in docs/protocol.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace warmpool::ipc::test {

// Lines of at most 16 bytes: "0d 00 ...".
std::string to_hex(std::string_view bytes);
// Ignores blanks, line ends and lines that begin with '#'. Nothing for other characters.
std::optional<std::string> from_hex(std::string_view text);

std::string read_file(const std::string& path);

}  // namespace warmpool::ipc::test
