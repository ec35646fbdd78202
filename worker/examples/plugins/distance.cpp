// A plug-in: how many letters must be changed, added or taken away to make the second line of the
// payload from the first (Levenshtein, by rows: the time is the product of both lengths, the memory
// that of the shorter).
//
//   command = ["warmpool-worker", "--plugin", "/srv/distance.so"]
//   types = ["text.distance"]
#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/plugin.h"

namespace {

constexpr std::size_t kRowsBetweenLooks = 64;

// Nothing: it is not wanted any more.
std::optional<std::size_t> distance(std::string_view rows, std::string_view columns,
                                    const warmpool_call& call) {
  if (rows.size() < columns.size()) std::swap(rows, columns);
  std::vector<std::size_t> row(columns.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t y = 0; y < rows.size(); ++y) {
    if (y % kRowsBetweenLooks == 0) {
      if (call.cancelled(call.worker) != 0) return std::nullopt;
      call.progress(call.worker, static_cast<unsigned>(y * 1000 / rows.size()), nullptr);
    }
    std::size_t diagonal = row[0]++;
    for (std::size_t x = 0; x < columns.size(); ++x) {
      const auto changed = diagonal + (rows[y] == columns[x] ? 0 : 1);
      diagonal = row[x + 1];
      row[x + 1] = std::min({changed, row[x] + 1, diagonal + 1});
    }
  }
  return row.back();
}

int answer(const warmpool_call& call, warmpool_outcome outcome, int content,
           std::string_view text) {
  call.answer(call.worker, content, text.data(), text.size());
  return outcome;
}

int handle(warmpool_call* call) {
  const std::string_view text(static_cast<const char*>(call->payload), call->payload_bytes);
  const auto end = text.find('\n');
  if (end == std::string_view::npos) {
    return answer(*call, WARMPOOL_FAILED_FOR_GOOD, WARMPOOL_UTF8, "the payload is two lines");
  }
  auto second = text.substr(end + 1);
  if (second.ends_with('\n')) second.remove_suffix(1);
  const auto found = distance(text.substr(0, end), second, *call);
  if (!found) return answer(*call, WARMPOOL_FAILED, WARMPOOL_UTF8, "cancelled");
  return answer(*call, WARMPOOL_DONE, WARMPOOL_JSON, std::to_string(*found));
}

constexpr const char* kTypes[] = {"text.distance", nullptr};
constexpr warmpool_plugin kPlugin{WARMPOOL_PLUGIN_VERSION, kTypes, handle, nullptr};

}  // namespace

extern "C" const warmpool_plugin* warmpool_plugin_get(void) { return &kPlugin; }
