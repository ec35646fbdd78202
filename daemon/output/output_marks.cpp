// A read may end within a mark: its beginning waits for the next. All else is given as it stands in
// the bytes that were read, so a stream without marks costs one memchr.
#include "daemon/output/output_marks.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace warmpool::daemon {
namespace {

bool is_digit_of_mark(char byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
}

// Whether a mark could begin so, or is whole. `rest` begins with kOpens.
bool begins_mark(std::string_view rest) {
  const auto digits = rest.substr(1, OutputMarks::kDigits);
  if (!std::ranges::all_of(digits, is_digit_of_mark)) return false;
  return rest.size() < OutputMarks::kBytes || rest[OutputMarks::kBytes - 1] == OutputMarks::kCloses;
}

}  // namespace

void OutputMarks::split(std::string_view bytes, const Take& take) {
  const std::string joined = begun_.empty() ? std::string() : std::exchange(begun_, {}) += bytes;
  std::string_view rest = joined.empty() ? bytes : std::string_view(joined);
  while (!rest.empty()) {
    const auto at = std::min(rest.find(kOpens), rest.size());
    if (at != 0) take(task_, rest.substr(0, at));
    rest = take_mark(rest.substr(at), take);
  }
}

// What follows it. `rest` is empty or begins with kOpens.
std::string_view OutputMarks::take_mark(std::string_view rest, const Take& take) {
  if (rest.empty()) return rest;
  if (!begins_mark(rest)) {
    take(task_, rest.substr(0, 1));
    return rest.substr(1);
  }
  if (rest.size() < kBytes) {
    begun_ = rest;
    return {};
  }
  seen_ = true;
  task_ = TaskId{};
  std::from_chars(rest.data() + 1, rest.data() + 1 + kDigits, task_.value, 16);
  return rest.substr(kBytes);
}

void OutputMarks::end(const Take& take) {
  if (!begun_.empty()) take(task_, std::exchange(begun_, {}));
}

void OutputMarks::forget() {
  task_ = TaskId{};
  begun_.clear();
}

}  // namespace warmpool::daemon
