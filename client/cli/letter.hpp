// Dead letters as lines of JSON, and as tasks again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "client/options.hpp"
#include "pool/ids.hpp"
#include "pool/result.hpp"

namespace warmpool::cli {

struct Letter {
  TaskId task;
  client::SubmitOptions options;
  bool has_own_key = false;
};

// Of a letter without a key of its own, where the daemon keeps no payload that it could hold
// against a key that lasts: it gets one that says which payload it stands for, of use reconnect.
// Errors: the payload cannot be read.
Result<void> use_passing_key(client::SubmitOptions& options);

// A line of `warmpool dlq export` or of the daemon's archive. The key is its own; one without gets
// a key that stands for this letter, so that it becomes one task however often it is imported.
// A payload of more than `large_from` bytes goes into a descriptor as it is decoded, so that it is
// not in memory beside its line. Errors: what is wrong with the line.
Result<Letter> parse_letter(std::string_view line, std::uint64_t large_from = UINT64_MAX);

// The members "letters" and "next_after" of a document of the verb dead-export. `lines`: each
// letter on a line of its own. Returns the id to go on after; 0: these were all. Errors: it is no
// such document. `without`: gets those that lack their payload.
struct Without {
  std::vector<std::uint64_t> too_large, lost;
};
Result<std::uint64_t> letters_of(std::string_view document, std::string& lines, Without& without);

}  // namespace warmpool::cli
