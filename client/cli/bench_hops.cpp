#include "client/cli/bench_hops.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "client/cli/format.hpp"
#include "client/cli/json_text.hpp"

namespace warmpool::cli {

namespace {

// Submitted, written, those that the daemon says, came.
constexpr std::size_t kPlaces = 3 + std::tuple_size_v<ipc::PathStamps>;
using Places = std::array<std::uint64_t, kPlaces>;

struct HopRow {
  std::string_view name, where;
};
// From one place to the next. What waits for the processor, or in a socket, is in those between two
// processes.
constexpr std::array<HopRow, kPlaces - 1> kHopRows{{
    {"until it is written", "client"},
    {"client to daemon", "between"},
    {"until it is assigned", "daemon"},
    {"until it is written", "daemon"},
    {"daemon to worker", "between"},
    {"until its handler begins", "worker"},
    {"handler", "worker"},
    {"until the answer is written", "worker"},
    {"worker to daemon", "between"},
    {"until it has settled", "daemon"},
    {"until that is written", "daemon"},
    {"daemon to client", "between"},
}};

Places places_of(const client::TaskStamps& task) {
  Places places{task.submitted, task.written};
  std::ranges::copy(task.path, places.begin() + 2);
  places.back() = task.came;
  return places;
}

Hop hop_between(const std::vector<Places>& tasks, std::size_t from, std::size_t to) {
  std::vector<std::int64_t> took;
  for (const auto& places : tasks) {
    const auto begin = places[from], end = places[to];
    if (begin != 0 && end >= begin) took.push_back(static_cast<std::int64_t>(end - begin));
  }
  Hop hop{.name = {}, .where = {}, .tasks = took.size()};
  if (took.empty()) return hop;
  std::ranges::sort(took);
  double sum = 0;
  for (const auto each : took) sum += static_cast<double>(each);
  hop.p50_ns = took[took.size() / 2];
  hop.p99_ns = took[took.size() * 99 / 100];
  hop.mean_ns = std::llround(sum / static_cast<double>(took.size()));
  return hop;
}

std::string share_of(const Hop& hop, const Hop& whole) {
  if (hop.tasks == 0 || whole.mean_ns <= 0) return "-";
  const double share = static_cast<double>(hop.mean_ns) / static_cast<double>(whole.mean_ns);
  return std::to_string(std::lround(share * 100)) + "%";
}

std::string time_or_none(const Hop& hop, std::int64_t ns) {
  return hop.tasks == 0 ? "-" : short_duration({ns});
}

}  // namespace

std::vector<Hop> hops_of(std::span<const client::TaskStamps> tasks) {
  std::vector<Places> all;
  all.reserve(tasks.size());
  for (const auto& task : tasks) all.push_back(places_of(task));
  std::vector<Hop> hops;
  for (std::size_t i = 0; i < kHopRows.size(); ++i) {
    auto& hop = hops.emplace_back(hop_between(all, i, i + 1));
    hop.name = kHopRows[i].name;
    hop.where = kHopRows[i].where;
  }
  auto& whole = hops.emplace_back(hop_between(all, 0, kPlaces - 1));
  whole.name = "all of it";
  whole.where = "-";
  return hops;
}

std::string hops_table(const std::vector<HopsOfLoad>& loads, bool bold) {
  std::vector<std::string> titles{"hop", "where"};
  for (const auto& load : loads) {
    const auto before = grouped(load.in_flight) + ": ";
    for (const char* what : {"p50", "p99", "share"}) titles.push_back(before + what);
  }
  Table table(std::move(titles));
  for (std::size_t i = 0; i < loads.front().hops.size(); ++i) {
    const auto& row = loads.front().hops[i];
    std::vector<std::string> cells{std::string(row.name), std::string(row.where)};
    for (const auto& load : loads) {
      const auto& hop = load.hops[i];
      cells.push_back(time_or_none(hop, hop.p50_ns));
      cells.push_back(time_or_none(hop, hop.p99_ns));
      cells.push_back(share_of(hop, load.hops.back()));
    }
    table.add(std::move(cells));
  }
  return table.text(bold);
}

std::string hops_json(const std::vector<HopsOfLoad>& loads) {
  const auto ns = [](std::int64_t time) { return static_cast<std::uint64_t>(time); };
  std::string list;
  for (const auto& load : loads) {
    std::string hops;
    for (const auto& hop : load.hops) {
      hops += (hops.empty() ? "" : ",") + JsonObject()
                                              .text("hop", hop.name)
                                              .text("where", hop.where)
                                              .number("tasks", hop.tasks)
                                              .number("p50_ns", ns(hop.p50_ns))
                                              .number("p99_ns", ns(hop.p99_ns))
                                              .number("mean_ns", ns(hop.mean_ns))
                                              .str();
    }
    list += (list.empty() ? "" : ",") +
            JsonObject().number("in_flight", load.in_flight).raw("hops", "[" + hops + "]").str();
  }
  return "[" + list + "]";
}

}  // namespace warmpool::cli
