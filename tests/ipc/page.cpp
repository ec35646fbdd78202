#include "tests/ipc/page.hpp"

#include <sstream>

#include "tests/ipc/hex.hpp"
#include "tests/support/places.hpp"

namespace warmpool::ipc::test {
namespace {

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  if (first == text.npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(' ') - first + 1));
}

Cells cells_of(std::string_view line) {
  Cells cells;
  line.remove_prefix(1);
  for (std::size_t bar; (bar = line.find('|')) != line.npos; line.remove_prefix(bar + 1)) {
    cells.push_back(trimmed(line.substr(0, bar)));
  }
  return cells;
}

}  // namespace

std::string protocol_page() { return read_file(warmpool::test::source_file("docs/protocol.md")); }

std::vector<Cells> table_after(const std::string& page, std::string_view heading) {
  std::vector<Cells> rows;
  std::istringstream lines(page);
  bool below = false;
  for (std::string line; std::getline(lines, line);) {
    if (line == heading) {
      below = true;
    } else if (below && line.starts_with('|')) {
      rows.push_back(cells_of(line));
    } else if (below && (!rows.empty() || line.starts_with('#'))) {
      break;
    }
  }
  if (rows.size() >= 2) rows.erase(rows.begin(), rows.begin() + 2);  // head and rule
  return rows;
}

std::map<std::string, std::string> hex_blocks(const std::string& page) {
  constexpr std::string_view kOpen = "```hex ";
  std::map<std::string, std::string> blocks;
  std::istringstream lines(page);
  std::string name;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(kOpen)) {
      name = line.substr(kOpen.size());
      blocks[name];
    } else if (line == "```") {
      name.clear();
    } else if (!name.empty()) {
      blocks[name] += line + "\n";
    }
  }
  return blocks;
}

}  // namespace warmpool::ipc::test
