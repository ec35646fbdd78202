// A task of durability none may be lost with the daemon and is then submitted anew by its key, and
// a key is free once its task was cancelled: only these may come to have a second id.
#include "tests/campaign/judge.hpp"

#include <algorithm>
#include <set>

namespace warmpool::campaign {
namespace {

class Judge {
 public:
  Judge(const Runs& runs, Report& report) : runs_(runs), report_(report) {}

  void entry(const Entry& one) {
    ++judged_.keys;
    judged_.acknowledged += one.ids.size();
    const bool in_memory = one.task.durability == Durability::None;
    (in_memory ? judged_.in_memory : judged_.durable) += one.ids.size();
    settles_once(one);
    if (one.told.empty()) {
      ++judged_.lost;
      return wrong(one, one.ids.empty() ? "was never acknowledged" : "was acknowledged and lost");
    }
    if (!in_memory && !one.cancel_asked && one.ids.size() > 1) {
      ++judged_.doubles;
      wrong(one, "was taken twice for one key");
    }
    std::set<std::uint64_t> seen;
    for (const auto& told : one.told) {
      if (!seen.insert(told.id).second) continue;
      if (!in_memory) ++judged_.durable_told[told.verdict];
      ends_as_meant(one, told);
      stays_settled(one, told);
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
  void wrong(const Entry& one, const std::string& text) {
    std::string ids;
    for (const auto id : one.ids) ids += " " + std::to_string(id);
    report_.violation(*one.task.key + " (" + one.task.type + "," + ids + ") " + text);
  }

  // However often it is told, it is the same end.
  void settles_once(const Entry& one) {
    std::map<std::uint64_t, const Told*> first;
    for (const auto& told : one.told) {
      const auto [at, fresh] = first.emplace(told.id, &told);
      if (fresh || at->second->says_the_same(told)) continue;
      ++judged_.doubles;
      wrong(one, "settled as " + at->second->result + " and as " + told.result);
    }
  }

  void ends_as_meant(const Entry& one, const Told& told) {
    if (told.verdict == Verdict::Cancelled && one.cancel_asked) return;
    const bool dies = one.task.type == "doomed";
    if (told.verdict != (dies ? Verdict::Dead : Verdict::Done)) {
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
    const bool after =
        std::any_of(begin, end, [&](const auto& run) { return run.second.at > told.at; });
    if (!after) return;
    ++judged_.resurrected;
    wrong(one, "ran again after its end was told");
  }

  const Runs& runs_;
  Report& report_;
  Judged judged_;
};

}  // namespace

Judged judge(const std::vector<const Entry*>& all, const Runs& runs, Report& report) {
  Judge judge(runs, report);
  for (const auto* one : all) judge.entry(*one);
  return judge.take();
}

}  // namespace warmpool::campaign
