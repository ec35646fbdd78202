// A client that submits a mix of tasks for as long as it is asked to, goes on by key whatever
// happens to the daemon, and writes down what it was told.
#pragma once

#include <atomic>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/client.hpp"
#include "tests/campaign/ledger.hpp"

namespace warmpool::campaign {

// Shared by the callers of one campaign and who directs them.
struct Direction {
  std::string socket{};
  std::atomic<bool> drain{false};  // submit nothing more, take what is open, end
  std::atomic<bool> give_up{false};
  // How many tasks each may have submitted by now.
  std::atomic<std::uint64_t> quota{~0ULL};
  std::atomic<std::uint64_t> settled{0}, accepted{0};
};

// As `name`, for as long as the campaign lasts. False: nobody is there.
bool connect(const Direction& direction, const std::string& name,
             std::optional<client::Client>& client);

// Random: tasks, cancels, departures as chance has it. Script: the same kScript tasks of all kinds
// again and again, as far as the quota goes, and nothing else.
enum class Play : std::uint8_t { Random, Script };
inline constexpr std::uint64_t kScript = 24;

// Threads: run() on one; the rest after it has ended.
class Caller {
 public:
  Caller(std::string name, std::uint64_t seed, Play play, Direction& direction, Ledger& ledger);

  // Blocks: until all that was submitted has settled, after `drain`; or until `give_up`.
  void run();

  const std::vector<Entry>& entries() const { return entries_; }
  // What a client of this library should never see.
  const std::vector<std::string>& oddities() const { return oddities_; }
  std::uint64_t resubmits() const { return resubmits_; }
  std::uint64_t departures() const { return departures_; }
  // Over 64 KiB, as it should be.
  std::uint64_t large_results() const { return large_results_; }
  std::uint64_t cancels() const { return cancels_; }

 private:
  void leave();
  void fill();
  void disturb();
  Entry make();
  Entry drawn();
  Entry scripted() const;
  void cancel(std::size_t at);
  void submit(std::size_t at);
  void take();
  void on(const client::Accepted& event);
  void on(const client::Settled& event);
  void on(const client::Refused& event);
  void on(const client::Unknown& event);
  template <class Other>
  void on(const Other&) {}
  void odd(std::size_t at, const std::string& text);
  void note_large(std::size_t at, const std::string& result);
  bool one_in(std::uint64_t many) { return random_() % many == 0; }

  std::string name_;
  std::mt19937_64 random_;
  Play play_;
  Direction& direction_;
  Ledger& ledger_;
  std::optional<client::Client> client_;
  std::vector<Entry> entries_;
  std::unordered_map<std::uint64_t, std::size_t> open_;  // ticket, place in entries_
  std::vector<std::size_t> again_;                       // to be submitted anew
  std::vector<std::string> oddities_;
  std::uint64_t resubmits_ = 0, departures_ = 0, cancels_ = 0, large_results_ = 0;
};

}  // namespace warmpool::campaign
