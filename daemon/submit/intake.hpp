// From a wish to a task: what a frame *submit* and a line of submit.fifo have in common. Everything
// that the core REQUIREs of a TaskSpec is established here.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/services.hpp"
#include "ipc/metas.hpp"
#include "pool/refusal.hpp"

namespace warmpool::daemon {

// A payload that is handed over as a descriptor. `digest`: of its bytes, where they were read.
struct LargeWish {
  std::uint32_t bytes = 0;
  std::optional<std::uint64_t> digest{};
};

// Owns: nothing.
struct Wish {
  std::string_view type;
  const ipc::SubmitMeta& meta;  // its lists and texts are within the bounds of the wire
  ipc::Bytes payload;
  Content content = Content::Bytes;
  bool cancel_on_disconnect = false, keep_result = false;
  std::uint32_t uid = 0;  // whose it is
  LargeWish large{};      // bytes 0: the payload is what it says
};

// Of the digest of a payload of this type, which keys compare.
std::uint64_t digest_seed_of(std::string_view type);

class Intake {
 public:
  explicit Intake(Services& services) : services_(services) {}

  // The number of a type that some class serves, declared to the core. None: none serves it.
  std::optional<TypeId> find_type(std::string_view name);
  // Why there is none, for people.
  std::string unknown_type(std::string_view name) const;

  // Refusal{}: all is well. Else `detail` says what is wrong with the values that matter.
  // Order: check, find_type, prepare, submit, so that what is refused leaves no trace.
  Refusal check(const Wish& wish, std::string& detail) const;
  Refusal check_payload(std::size_t bytes, std::string& detail) const;
  Refusal prepare(const Wish& wish, TypeId type, TaskSpec& spec, std::string& detail);
  // Asks the core; its answer is a command to `client`. `kept`: the payload, if it was begun to be
  // written before.
  void submit(ClientId client, RequestId request, const Wish& wish, const TaskSpec& spec,
              KeptBody kept = {});

 private:
  Services& services_;
};

}  // namespace warmpool::daemon
