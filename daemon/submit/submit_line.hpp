// A line of submit.fifo: one JSON object, with the words of `warmpool submit`.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/metas.hpp"
#include "pool/result.hpp"

namespace warmpool::daemon {

// With its line feed: what a pipe takes from one write in one piece (PIPE_BUF), however many write.
inline constexpr std::size_t kSubmitLineMax = 4'096;

struct SubmitLine {
  std::string type, payload, tenant;
  std::optional<std::string> key;
  std::vector<std::string> labels;
  std::optional<Content> content;  // not set: as the payload looks
  bool keep_result = false;
  ipc::SubmitMeta wishes;  // its texts and lists are not set: see meta()

  // Owns: nothing; as long as this stays where it is.
  ipc::SubmitMeta meta() const;
};

// Errors: code is a Refusal; the text says which member is wrong and what it may be.
Result<SubmitLine> parse_submit_line(std::string_view line);

// The members as a table, for the page of documentation.
std::string submit_members_markdown();

}  // namespace warmpool::daemon
