// Each kind has a daemon of its own, so that what one leaves behind is not looked for in another.
#include <algorithm>
#include <sstream>

#include "tests/campaign/campaigns.hpp"
#include "tests/campaign/workers/aims.hpp"
#include "tests/campaign/workers/kind.hpp"

namespace warmpool::campaign {
namespace {

// "W01,W15"; empty: all. Errors: nothing, when a name is of no kind.
Kinds chosen(const std::string& names) {
  auto all = all_kinds();
  if (names.empty()) return all;
  Kinds some;
  std::istringstream wanted(names);
  for (std::string name; std::getline(wanted, name, ',');) {
    const auto before = some.size();
    for (const auto& kind : all) {
      if (kind.id == name) some.push_back(kind);
    }
    if (some.size() == before) return {};
  }
  return some;
}

int refuse(const std::string& names) {
  std::string known, last;
  for (const auto& kind : all_kinds()) {
    if (kind.id != last) known += (known.empty() ? "" : ",") + kind.id;
    last = kind.id;
  }
  std::fprintf(stderr, "campaign: --kinds %s: there is no such kind; known are %s\n", names.c_str(),
               known.c_str());
  return 2;
}

constexpr const char* kTableHead =
    "Times are half/99 %/max in ms. *seen*: from the fault, or from when it was due, to the event "
    "at "
    "a client.\n\n| id | fault | runs | detected | recovered | cause right | undetected | seen | "
    "ready again | tasks of others | daemon +KiB | more |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|\n";

// With what they took before, where that was looked at.
std::string others_text(const Figures& seen) {
  if (seen.others_before.count() == 0) return seen.others.text();
  return seen.others.text() + " (before " + seen.others_before.text() + ")";
}

std::string row_of(const Kind& kind, const Figures& seen) {
  const auto undetected = seen.runs - std::min(seen.runs, seen.detected);
  std::ostringstream row;
  row << "| " << kind.id << " | " << kind.fault << " | " << seen.runs << " | " << seen.detected
      << " | " << seen.recovered << " | " << seen.cause_right << " | " << undetected << " | "
      << seen.seen.text() << " | " << seen.ready.text() << " | " << others_text(seen) << " | "
      << seen.rss_kib_more << " | ";
  for (std::size_t i = 0; i < seen.more.size(); ++i) row << (i == 0 ? "" : "; ") << seen.more[i];
  row << " |\n";
  return row.str();
}

bool is_limited_as_needed(Needs needs, pid_t worker) {
  if (needs == Needs::PidsLimits) return is_limited_by(worker, "pids.max");
  if (needs != Needs::MemoryLimits) return true;
  return is_limited_by(worker, "memory.max") || is_limited_by(worker, "memory.limit_in_bytes");
}

// Nothing where this machine cannot show it.
std::optional<Figures> run_kind(const Kind& kind, const Plan& plan, Report& report) {
  if (kind.needs == Needs::NoCgroup && !can_hide_cgroups()) return std::nullopt;
  if (kind.needs == Needs::MemoryAround && !ControlGroup::possible("memory")) return std::nullopt;
  if (kind.needs == Needs::PidsAround && !ControlGroup::possible("pids")) return std::nullopt;
  Figures figures;
  Trial trial(kind.id + ", " + kind.fault, kind.terms, figures, report);
  const auto size = trial.up() ? trial.status().at("classes").at(0).at("target") : nlohmann::json();
  if (!size.is_number() || !trial.await_ready("victim", size.get<std::uint64_t>())) {
    trial.wrong("its workers did not come up");
    return figures;
  }
  if (kind.needs == Needs::Cgroup && !trial.has_cgroup()) return std::nullopt;
  if (!is_limited_as_needed(kind.needs, trial.pid_in("victim-0"))) return std::nullopt;
  if (kind.needs == Needs::NoCgroup && trial.has_cgroup()) trial.wrong("its workers have a cgroup");
  trial.be_useful();
  trial.take_baseline();
  kind.run(trial, std::max<std::uint64_t>(1, plan.runs * kind.share / 100));
  trial.conclude(plan.out);
  return figures;
}

void add(Figures& all, const Figures& one) {
  all.runs += one.runs;
  all.detected += one.detected;
  all.recovered += one.recovered;
  all.cause_right += one.cause_right;
  all.healthy_killed += one.healthy_killed;
  all.survivors += one.survivors;
  all.zombies += one.zombies;
  all.tasks += one.tasks;
  all.spawned += one.spawned;
  all.descriptors_more += one.descriptors_more;
  all.shared_more += one.shared_more;
  all.seen.add_all(one.seen);
  all.ready.add_all(one.ready);
  all.others.add_all(one.others);
}

std::string part_of(std::uint64_t some, std::uint64_t all) {
  char text[64];
  const double percent =
      all == 0 ? 0 : 100.0 * static_cast<double>(some) / static_cast<double>(all);
  std::snprintf(text, sizeof text, "%llu of %llu (%.2f %%)", static_cast<unsigned long long>(some),
                static_cast<unsigned long long>(all), percent);
  return text;
}

void tell(Report& report, const Figures& all) {
  report.row("faults", all.runs);
  report.row("detected", part_of(all.detected, all.runs));
  report.row("recovered without a person", part_of(all.recovered, all.runs));
  report.row("cause right", part_of(all.cause_right, all.runs));
  report.row("healthy workers killed", all.healthy_killed);
  report.row("survivors", all.survivors);
  report.row("tasks", all.tasks);
  report.row("workers started", all.spawned);
  report.row("descriptors more than before", std::to_string(all.descriptors_more));
  report.row("memory files more than before", std::to_string(all.shared_more));
  report.row("zombies left", all.zombies);
  report.bound("chance that a fault is not survived below", all.runs, report.violations() == 0);
}

}  // namespace

int workers_campaign(const Plan& plan) {
  const Kinds kinds = chosen(plan.kinds);
  if (kinds.empty()) return refuse(plan.kinds);
  const std::string taken = load_text() + ", --runs " + std::to_string(plan.runs) +
                            (plan.kinds.empty() ? "" : " --kinds " + plan.kinds);
  Report report("Campaign of worker faults");
  Figures all;
  std::vector<Seen> seen;
  std::string table = kTableHead, left_out;
  for (const auto& kind : kinds) {
    const auto before = report.violations();
    const auto figures = run_kind(kind, plan, report);
    if (!figures) {
      left_out += (left_out.empty() ? "" : "; ") + kind.id + " " + kind.fault;
      continue;
    }
    progress(kind.id + " " + kind.fault + ": " + std::to_string(figures->recovered) + " of " +
             std::to_string(figures->runs) + " recovered, " +
             std::to_string(report.violations() - before) + " violations");
    table += row_of(kind, *figures);
    add(all, *figures);
    seen.push_back({kind, *figures});
  }
  tell(report, all);
  report.row("not shown on this machine", left_out.empty() ? "nothing" : left_out);
  report.section(table);
  FigureBook book(plan.out);
  put_figures(seen, plan.kinds.empty(), taken, book);
  book.save();
  report.section(book.table());
  return report.publish(plan.out, "workers");
}

}  // namespace warmpool::campaign
