#include "tests/campaign/figure_book.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <string_view>
#include <vector>

#include "pool/require.hpp"

namespace warmpool::campaign {
namespace {

struct Figure {
  std::string_view name, aim, by;  // by: what takes it
};

constexpr std::array<Figure, 20> kFigures{{
    {"crash seen, ms", "p99 <= 5", "workers"},
    {"kill to replacement ready, ms", "p99 <= 100", "workers"},
    {"hang seen after its deadline, ms", "max <= 600: two beats", "workers"},
    {"faults undetected", "0", "workers"},
    {"faults recovered from without a person", ">= 99.9 % of >= 2,000", "workers"},
    {"causes right", "all", "workers"},
    {"healthy workers killed, of all", "0", "workers"},
    {"healthy workers killed: no time, no disk, a held lock", "0", "workers"},
    {"survivors of a kill, with cgroups", "0 of 8 x 100", "workers"},
    {"kill until all are gone, with cgroups, ms", "p99 <= 20", "workers"},
    {"survivors of a kill, without cgroups", "0 of 8 x 100", "workers"},
    {"kill until all are gone, without cgroups, ms", "none named", "workers"},
    {"others while one forks all it can, times before at 99 %", "none named", "workers"},
    {"others while one dies at each start, times before at 99 %", "<= 1.1", "workers"},
    {"starts a minute of one that dies at each", "<= 10", "workers"},
    {"four times memory_hard to its end, defaults, ms", "max <= 1000", "workers"},
    {"left of 100,000 tasks and 1,000 kills: descriptors, zombies, memory files", "0", "workers"},
    {"daemon grown in the second half of those, KiB", "< 1024", "workers"},
    {"uptime of a worker with a fault each 1,000 s, %", ">= 99.9", "soak --every"},
    {"500 workers watched, idle or busy and silent, % of a core", "< 1", "watching"},
}};

constexpr std::array<std::string_view, 4> kMet{"yes", "no", "too few", "-"};

Met met_of(std::string_view word) {
  const auto found = std::find(kMet.begin(), kMet.end(), word);
  return found == kMet.end() ? Met::NoAim : static_cast<Met>(found - kMet.begin());
}

std::string_view word_of(Met met) { return kMet[static_cast<std::size_t>(met)]; }

bool is_figure(std::string_view name) {
  return std::any_of(kFigures.begin(), kFigures.end(),
                     [&](const Figure& one) { return one.name == name; });
}

// Of cells that a tab stands between.
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream in(line);
  for (std::string cell; std::getline(in, cell, '\t');) cells.push_back(std::move(cell));
  return cells;
}

}  // namespace

std::string load_text() {
  std::string load;
  std::ifstream("/proc/loadavg") >> load;
  return "load " + load;
}

FigureBook::FigureBook(const std::string& directory)
    : path_(directory.empty() ? "" : directory + "/figures.tsv") {
  std::ifstream in(path_);
  for (std::string line; std::getline(in, line);) {
    const auto cells = cells_of(line);
    // Of another version of this program.
    if (cells.size() != 7 || !is_figure(cells[0])) continue;
    rows_[cells[0]] = {cells[1], cells[2], cells[3], cells[4], met_of(cells[5]), cells[6]};
  }
}

void FigureBook::put(const std::string& name, FigureRow row) {
  REQUIRE(is_figure(name));
  rows_[name] = std::move(row);
}

void FigureBook::save() const {
  if (path_.empty()) return;
  std::ofstream out(path_);
  for (const auto& [name, row] : rows_) {
    out << name << '\t' << row.n << '\t' << row.p50 << '\t' << row.p99 << '\t' << row.most << '\t'
        << word_of(row.met) << '\t' << row.taken << '\n';
  }
}

std::string FigureBook::table() const {
  std::string text =
      "| figure | N | p50 | p99 | max or all | aim | met | taken "
      "|\n|---|---|---|---|---|---|---|---|"
      "\n";
  for (const auto& figure : kFigures) {
    const auto found = rows_.find(std::string(figure.name));
    text += "| " + std::string(figure.name) + " | ";
    if (found == rows_.end()) {
      text += "- | - | - | - | " + std::string(figure.aim) +
              " | not taken | by: " + std::string(figure.by) + " |\n";
      continue;
    }
    const FigureRow& row = found->second;
    text += row.n + " | " + row.p50 + " | " + row.p99 + " | " + row.most + " | " +
            std::string(figure.aim) + " | " + std::string(word_of(row.met)) + " | " + row.taken +
            " |\n";
  }
  return text;
}

bool FigureBook::is_missed() const {
  return std::any_of(rows_.begin(), rows_.end(),
                     [](const auto& row) { return row.second.met == Met::No; });
}

}  // namespace warmpool::campaign
