// A dead letter as the archive has it: one line of JSON, whole whatever the size of its payload.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/store/blob.hpp"
#include "pool/ids.hpp"
#include "pool/result.hpp"
#include "pool/words.hpp"

namespace warmpool::daemon {

// In the place of a payload that is not what was submitted.
inline constexpr std::string_view kPayloadLost = "it was lost or damaged on the disk";

struct ArchiveLetter {
  TaskId task;
  std::uint16_t round = 0;
  std::string head;  // a JSON object: all but the payload
  Blob payload;
  Content content{};
  bool lost = false;  // the payload is not what was submitted
};

// Text goes in as text where it is short, all else in base64, which is made as it is written: a
// large payload is not in memory twice. Order: the letter outlives it.
class ArchiveLine {
 public:
  explicit ArchiveLine(const ArchiveLetter& letter);
  // Without its payload, and with why.
  ArchiveLine(const ArchiveLetter& letter, std::string_view why_without);

  std::uint64_t bytes() const;  // with its line feed
  // Blocks: until the kernel has taken it. Errors: errno; some of it may be there.
  Result<void> write(int fd) const;
  // Why the last write() had no payload to write; empty: it had, whatever else failed.
  const std::string& unreadable() const { return unreadable_; }

 private:
  std::string before_, after_;
  mutable std::string unreadable_;
  void begin(const ArchiveLetter& letter);
  Result<void> write_base64(int fd) const;

  const Blob* in_base64_ = nullptr;  // between them; null: nothing
};

}  // namespace warmpool::daemon
