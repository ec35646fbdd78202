// Names of segments.
#include "daemon/record/segment.hpp"

#include <charconv>

namespace warmpool::daemon {
namespace {

constexpr std::string_view kBefore = "flight-", kAfter = ".rec";
constexpr std::size_t kDigits = 9;

}  // namespace

std::string segment_name(std::uint64_t number) {
  auto digits = std::to_string(number);
  if (digits.size() < kDigits) digits.insert(0, kDigits - digits.size(), '0');
  return std::string(kBefore) + digits + std::string(kAfter);
}

std::uint64_t segment_number(std::string_view name) {
  if (!name.starts_with(kBefore) || !name.ends_with(kAfter)) return 0;
  if (name.size() < kBefore.size() + kAfter.size()) return 0;
  const auto digits = name.substr(kBefore.size(), name.size() - kBefore.size() - kAfter.size());
  std::uint64_t number = 0;
  const auto* end = digits.data() + digits.size();
  const auto [stopped, fault] = std::from_chars(digits.data(), end, number);
  return fault == std::errc{} && stopped == end && segment_name(number) == name ? number : 0;
}

}  // namespace warmpool::daemon
