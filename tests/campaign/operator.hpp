// Who looks after a pool while its daemon is killed: retries, removes, pauses, releases, cleans and
// makes backups. A request whose answer was lost is made again.
#pragma once

#include <map>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/client.hpp"
#include "tests/campaign/caller.hpp"
#include "tests/campaign/ledger.hpp"
#include "tests/campaign/report.hpp"

namespace warmpool::campaign {

// Threads: run() on one; the rest after it has ended.
class Operator {
 public:
  // `directory`: for backups.
  Operator(Direction& direction, Ledger& ledger, std::string directory);

  // Blocks: until `drain` and what it had begun has ended; or until `give_up`.
  void run();

  const std::vector<Entry>& entries() const { return entries_; }
  const std::vector<std::string>& oddities() const { return oddities_; }
  // What it did, and how often.
  const std::map<std::string, std::uint64_t>& deeds() const { return deeds_; }
  // The newest one that was told to be whole; empty: none.
  const std::string& backup() const { return backup_; }
  // What was removed must be gone, what was paused must not have run. Order: the daemon runs.
  void check(const Runs& runs, Report& report);

 private:
  std::size_t submit(const char* type, std::optional<Duration> expiry = std::nullopt);
  bool accepted(std::size_t at);
  bool settled(std::size_t at, std::uint16_t round = 1);
  void await(std::size_t at);
  Result<std::string> ask(const ipc::RequestMeta& request);
  // Until it is answered, or its task is gone. False: it is given up.
  bool insist(const ipc::RequestMeta& request);
  bool revive();
  bool remove();
  bool pause();
  bool hold();
  bool save();
  bool copy();
  void take();
  void on(const client::Accepted& event);
  void on(const client::Settled& event);
  void on(const client::Refused& event);
  void on(const client::Unknown& event);
  template <class Other>
  void on(const Other&) {}
  TaskId id_of(std::size_t at) const { return TaskId{entries_[at].ids.back()}; }

  Direction& direction_;
  Ledger& ledger_;
  std::string directory_, backup_;
  std::optional<client::Client> client_;
  std::vector<Entry> entries_;
  std::unordered_map<std::uint64_t, std::size_t> open_;            // ticket, place in entries_
  std::vector<std::uint64_t> gone_;                                // ids
  std::vector<std::pair<std::size_t, std::uint64_t>> not_before_;  // place in entries_, moment
  std::vector<std::string> oddities_;
  std::map<std::string, std::uint64_t> deeds_;
  std::uint64_t backups_ = 0;
};

}  // namespace warmpool::campaign
