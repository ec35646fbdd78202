// docs/protocol.md as data: its tables and hex blocks.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace warmpool::ipc::test {

using Cells = std::vector<std::string>;

std::string protocol_page();
// Rows of the first table after the line `heading`, without its head. Cells are trimmed.
std::vector<Cells> table_after(const std::string& page, std::string_view heading);
// Blocks that open with "```hex NAME", by name.
std::map<std::string, std::string> hex_blocks(const std::string& page);

}  // namespace warmpool::ipc::test
