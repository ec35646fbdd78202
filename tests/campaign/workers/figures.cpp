#include "tests/campaign/workers/figures.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

namespace warmpool::campaign {

std::string one_decimal(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

void Times::add_between(std::uint64_t from_nanoseconds, std::uint64_t to_nanoseconds) {
  add((static_cast<double>(to_nanoseconds) - static_cast<double>(from_nanoseconds)) / 1e6);
}

void Times::add_all(const Times& other) {
  all_.insert(all_.end(), other.all_.begin(), other.all_.end());
}

double Times::sum() const { return std::accumulate(all_.begin(), all_.end(), 0.0); }

double Times::at_percent(double percent) const {
  if (all_.empty()) return 0;
  auto sorted = all_;
  std::sort(sorted.begin(), sorted.end());
  const auto rank = std::ceil(percent / 100 * static_cast<double>(sorted.size()));
  return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

double ratio_at_99(const Times& during, const Times& before) {
  const double base = before.at_percent(99);
  return base > 0 ? during.at_percent(99) / base : 0;
}

std::string Times::text() const {
  if (all_.empty()) return "-";
  return one_decimal(at_percent(50)) + "/" + one_decimal(at_percent(99)) + "/" + one_decimal(max());
}

}  // namespace warmpool::campaign
