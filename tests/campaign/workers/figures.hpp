// What was seen of one kind of fault.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace warmpool::campaign {

// Sorted when it is asked. Units: milliseconds.
class Times {
 public:
  void add(double milliseconds) { all_.push_back(milliseconds); }
  void add_between(std::uint64_t from_nanoseconds, std::uint64_t to_nanoseconds);
  std::size_t count() const { return all_.size(); }
  void add_all(const Times& other);
  double at_percent(double percent) const;  // the smallest that `percent` are not above; 0: none
  double sum() const;
  double max() const { return at_percent(100); }
  // "1.2/3.4/5.6": half, 99 of 100 and all are not above; "-" without any.
  std::string text() const;

 private:
  std::vector<double> all_;
};

struct Figures {
  std::uint64_t runs = 0, detected = 0, recovered = 0, cause_right = 0;
  Times seen;   // from the fault, or from when it was due to be found, to the event at a client
  Times ready;  // from the fault to the hello of the replacement
  std::uint64_t healthy_killed = 0, survivors = 0;
  Times others;         // tasks of another class meanwhile, from submit to result
  Times others_before;  // the same before the first fault, where a kind compares them
  Times gone;           // from the kill until nothing is left that it had started
  Times over;           // from when it had as much memory as it may until it was dead
  bool in_cgroups = false;
  std::uint64_t starts_a_minute = 0;
  std::uint64_t worn_tasks = 0, worn_kills = 0;  // after which the daemon had grown by
  std::int64_t grown_kib = 0;
  std::int64_t descriptors_more = 0, shared_more = 0, rss_kib_more = 0;
  std::uint64_t zombies = 0, tasks = 0, spawned = 0;
  std::vector<std::string> more;  // what only this kind has
};

std::string one_decimal(double value);
// How many times as long 99 of 100 take; 0: one of them has none.
double ratio_at_99(const Times& during, const Times& before);

}  // namespace warmpool::campaign
