// Columns that several tables have: keys, labels, lines of output.
#pragma once

#include "daemon/store/file_row.hpp"
#include "daemon/store/store.hpp"

namespace warmpool::daemon {

// Of four columns: high, low, digest, use. None: the task has no key.
std::optional<IdempotencyKey> key_at(const FileRow& row, int column);
// `labels`: a JSON list, or nothing; what is no text in it is left out.
void add_texts(std::string_view key, std::string_view labels, Attachment& attachment);
std::vector<std::string> lines_of(std::string_view text);

}  // namespace warmpool::daemon
