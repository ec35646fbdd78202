// What was seen from outside: every acknowledgement, every end that was told, every run of a
// handler. Files that are only appended to, by processes that the daemon's death does not touch.
//
//   seen   accepted <id> <key>                       by the clients of this program
//          settled <id> <key> <verdict> <round> <attempt>
//   ran    <id> <round> <attempt> <nanoseconds> <token> <worker>  by each handler as it begins
//   ended  <id> <token> <nanoseconds>                             by some as they end
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "client/options.hpp"
#include "pool/words.hpp"

namespace warmpool::campaign {

// By the clock that all processes of this machine share.
std::uint64_t monotonic_nanoseconds();

// An end of a task, as a client was told it.
struct Told {
  std::uint64_t id = 0;
  Verdict verdict = Verdict::Done;
  std::uint16_t round = 0, attempt = 0;
  std::string result{};
  std::uint64_t at = 0;                     // nanoseconds
  std::uint16_t failures = 0, crashes = 0;  // charged

  bool says_the_same(const Told& other) const {
    return verdict == other.verdict && round == other.round && attempt == other.attempt &&
           result == other.result && failures == other.failures && crashes == other.crashes;
  }
};

// A key of one client, and all that was said of it.
struct Entry {
  client::SubmitOptions task{};
  std::size_t padding = 0;  // spaces after its payload, which are not kept in memory
  bool cancel_asked = false;
  std::uint64_t submitted_at = 0;    // first; nanoseconds
  std::vector<std::uint64_t> ids{};  // different ones, in the order of their acknowledgement
  std::vector<Told> told{};
};

// A run of a handler.
struct Ran {
  std::uint16_t round = 0, attempt = 0;
  std::uint64_t at = 0;  // nanoseconds
  std::uint64_t token = 0;
  std::uint64_t end = 0;  // nanoseconds; 0: it did not come to its end, or does not say so
  std::uint64_t worker = 0;
};
using Runs = std::multimap<std::uint64_t, Ran>;  // by task

// Threads: any.
class Ledger {
 public:
  explicit Ledger(const std::string& directory);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  void note(std::string line);
  const std::string& runs_path() const { return runs_path_; }
  const std::string& ends_path() const { return ends_path_; }
  Runs runs() const;

 private:
  std::string runs_path_, ends_path_;
  std::mutex mutex_;
  int seen_ = -1;
};

}  // namespace warmpool::campaign
