// Changes as bytes, for the log of what the tables do not have yet.
#pragma once

#include <string>
#include <vector>

#include "daemon/store/change.hpp"
#include "daemon/store/checksum.hpp"

namespace warmpool::daemon {

// Appends `change`. Whole numbers are written seven bits a byte, the lowest first, those that may
// be negative folded; texts and bodies with their length before them, a body that has a
// file with its length and checksum alone; what may be missing with a byte before it. A kind of
// change is its place in Change: those that were written once keep their place and their fields, or
// the log gets another version.
void encode_change(const Change& change, std::string& to);

// Takes a change from the front of `from`. False: what is there is none, and `from` is what was
// left then.
bool decode_change(ipc::Bytes& from, Change& change);

// What the row of a body that has a file says of it.
template <class Changed>
BodyInFile body_in_file(const Changed& changed) {
  if (changed.in_file) return *changed.in_file;
  if (changed.body.is_by_descriptor()) return {changed.body.size(), changed.file.checksum};
  return {changed.body.size(), checksum_of(changed.record.task, changed.body.bytes())};
}

}  // namespace warmpool::daemon
