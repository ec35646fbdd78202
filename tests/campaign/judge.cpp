// A task of durability none may be lost with the daemon and is then submitted anew by its key, and
// a key is free once its task was cancelled or has expired: only these may come to have a second
// id. A dead letter that was retried lives once more, in a round of its own: all that ends is
// judged by round.
#include "tests/campaign/judge.hpp"

#include <algorithm>
#include <set>
#include <string>

namespace warmpool::campaign {
namespace {

class Judge {
 public:
  Judge(const Runs& runs, Report& report, const Deaths* deaths)
      : runs_(runs), report_(report), deaths_(deaths) {}

  void entry(const Entry& one) {
    ++judged_.keys;
    judged_.acknowledged += one.ids.size();
    const bool in_memory = one.task.durability == Durability::None;
    (in_memory ? judged_.in_memory : judged_.durable) += one.ids.size();
    settles_once(one);
    for (const auto id : one.ids) runs_alone(one, id);
    if (one.told.empty()) {
      ++judged_.lost;
      return wrong(one, one.ids.empty() ? "was never acknowledged" : "was acknowledged and lost");
    }
    const bool key_was_free =
        one.cancel_asked || std::ranges::any_of(one.told, [](const auto& told) {
          return told.verdict == Verdict::Expired;
        });
    if (!in_memory && !key_was_free && one.ids.size() > 1) {
      ++judged_.doubles;
      wrong(one, "was taken twice for one key");
    }
    std::set<Round> seen;
    for (const auto& told : one.told) {
      if (!seen.insert({told.id, told.round}).second) continue;
      if (told.round > 1) ++judged_.rounds_again;
      if (!in_memory) ++judged_.durable_told[told.verdict];
      ends_as_meant(one, told);
      stays_settled(one, told);
      if (deaths_ != nullptr) keeps_its_budget(one, told);
    }
  }

  Judged take() {
    judged_.runs = runs_.size();
    std::set<std::uint64_t> tasks;
    for (const auto& [id, ran] : runs_) tasks.insert(id);
    judged_.runs_again = runs_.size() - tasks.size();
    return judged_;
  }

 private:
  using Round = std::pair<std::uint64_t, std::uint16_t>;  // of a task

  void wrong(const Entry& one, const std::string& text) {
    std::string ids;
    for (const auto id : one.ids) ids += " " + std::to_string(id);
    report_.violation(*one.task.key + " (" + one.task.type + "," + ids + ") " + text);
  }

  // However often it is told, it is the same end.
  void settles_once(const Entry& one) {
    std::map<Round, const Told*> first;
    for (const auto& told : one.told) {
      const auto [at, fresh] = first.emplace(Round{told.id, told.round}, &told);
      if (fresh || at->second->says_the_same(told)) continue;
      ++judged_.doubles;
      wrong(one, "settled as " + at->second->result + " and as " + told.result);
    }
  }

  void ends_as_meant(const Entry& one, const Told& told) {
    if (told.verdict == Verdict::Cancelled && one.cancel_asked) return;
    if (told.verdict == Verdict::Expired && one.task.expiry) return;
    if (told.verdict != (dies(one, told) ? Verdict::Dead : Verdict::Done)) {
      wrong(one, "ended as " + std::string(name_of(told.verdict)) + ": " + told.result);
    }
    if (told.verdict != Verdict::Done) return;
    const auto [begin, end] = runs_.equal_range(told.id);
    const bool ran = std::any_of(begin, end, [&](const auto& run) {
      return run.second.round == told.round && run.second.attempt == told.attempt;
    });
    if (!ran) wrong(one, "is done, and that attempt never ran");
  }

  void stays_settled(const Entry& one, const Told& told) {
    const auto [begin, end] = runs_.equal_range(told.id);
    const bool after = std::any_of(begin, end, [&](const auto& run) {
      return run.second.round <= told.round && run.second.at > told.at;
    });
    if (!after) return;
    ++judged_.resurrected;
    wrong(one, "ran again after its end was told");
  }

  // No run begins before the one before it has ended, as far as that says so.
  void runs_alone(const Entry& one, std::uint64_t id) {
    const auto [begin, end] = runs_.equal_range(id);
    std::vector<Ran> all;
    for (auto run = begin; run != end; ++run) all.push_back(run->second);
    std::ranges::sort(all, {}, &Ran::at);
    std::uint64_t busy_until = 0;
    for (const auto& run : all) {
      if (run.at < busy_until) wrong(one, "ran twice at once");
      busy_until = std::max(busy_until, run.end);
    }
  }

  // I3. What each run but the first was for: an end of its own making, of its worker or of the
  // daemon.
  void keeps_its_budget(const Entry& one, const Told& told) {
    const auto within = [&](const std::vector<Deaths::Moment>& deaths) {
      return static_cast<std::uint64_t>(std::ranges::count_if(deaths, [&](const auto& death) {
        return death.until > one.submitted_at && death.from < told.at;
      }));
    };
    const auto lives = within(deaths_->lives), workers = within(deaths_->workers);
    const auto failures = failures_of(one, told);
    const std::uint64_t crashes = one.task.type == "crashing" ? 1 : 0;
    const auto [begin, end] = runs_.equal_range(told.id);
    const auto ran = static_cast<std::uint64_t>(
        std::count_if(begin, end, [&](const auto& run) { return run.second.round == told.round; }));
    const std::uint64_t others = one.task.type == "holding" ? 1 : 0;
    const auto most = (dies(one, told) ? 0 : 1) + failures + crashes + others + lives + workers;
    if (ran > most) {
      wrong(one, "ran " + std::to_string(ran) + " times, with reason for " + std::to_string(most));
    }
    if (told.verdict == Verdict::Cancelled || told.verdict == Verdict::Expired) return;
    if (told.failures != failures) {
      wrong(one, "is charged " + std::to_string(told.failures) + " failures");
    }
    if (told.crashes < crashes || told.crashes > crashes + workers) {
      wrong(one, "is charged " + std::to_string(told.crashes) + " crashes");
    }
  }

  static bool dies(const Entry& one, const Told& told) {
    return one.task.type == "doomed" || (one.task.type == "reviving" && told.round == 1);
  }

  static std::uint64_t failures_of(const Entry& one, const Told& told) {
    if (dies(one, told)) return one.task.retries.value_or(0) + 1;
    if (one.task.type == "saving") return 1;
    return one.task.type == "flaky" ? std::stoull(one.task.payload) : 0;
  }

  const Runs& runs_;
  Report& report_;
  const Deaths* deaths_;
  Judged judged_;
};

}  // namespace

Judged judge(const std::vector<const Entry*>& all, const Runs& runs, Report& report,
             const Deaths* deaths) {
  Judge judge(runs, report, deaths);
  for (const auto* one : all) judge.entry(*one);
  return judge.take();
}

}  // namespace warmpool::campaign
