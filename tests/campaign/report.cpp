#include "tests/campaign/report.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>

namespace warmpool::campaign {
namespace {

constexpr std::size_t kShownMax = 20;

std::string decimal(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace

void Report::row(std::string name, std::string value) {
  rows_.emplace_back(std::move(name), std::move(value));
}

void Report::times(std::string name, std::vector<double> milliseconds) {
  if (milliseconds.empty()) return row(std::move(name), "none");
  std::sort(milliseconds.begin(), milliseconds.end());
  row(std::move(name), "median " + decimal("%.0f", milliseconds[milliseconds.size() / 2]) +
                           " ms, max " + decimal("%.0f", milliseconds.back()) + " ms");
}

void Report::bound(std::string name, std::uint64_t runs, bool clean) {
  row(std::move(name), clean && runs > 0
                           ? decimal("%.2g", std::min(1.0, 3.0 / static_cast<double>(runs))) +
                                 " (3/" + std::to_string(runs) + ", 95 % confidence)"
                           : "none: something was found");
}

void Report::violation(std::string text) {
  ++violation_count_;
  if (violations_.size() < kShownMax) violations_.push_back(std::move(text));
}

std::string Report::markdown() const {
  std::size_t width = 0;
  for (const auto& [name, value] : rows_) width = std::max(width, name.size());
  std::string text = "# " + title_ + "\n\n| what | seen |\n|---|---|\n";
  for (const auto& [name, value] : rows_) {
    text += "| " + name + std::string(width - name.size(), ' ') + " | " + value + " |\n";
  }
  text += sections_;
  text += "\n" +
          (violation_count_ == 0 ? "Nothing that must not be."
                                 : std::to_string(violation_count_) + " violations:") +
          "\n";
  for (const auto& one : violations_) text += "- " + one + "\n";
  return text;
}

int Report::publish(const std::string& directory, const std::string& name) const {
  const auto text = markdown();
  std::fputs(text.c_str(), stdout);
  if (!directory.empty()) std::ofstream(directory + "/" + name + ".md") << text;
  return violation_count_ == 0 ? 0 : 1;
}

void progress(const std::string& line) { std::fprintf(stderr, "campaign: %s\n", line.c_str()); }

}  // namespace warmpool::campaign
