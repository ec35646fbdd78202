// What the daemon keeps of workers that people start themselves, beside what it keeps of all.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "daemon/attempt_file.hpp"
#include "daemon/frame_stream.hpp"
#include "daemon/process/peer_process.hpp"
#include "pool/ids.hpp"

namespace warmpool::daemon {

// One that somebody else started and that has said hello, until it is given a place.
struct Registration {
  FrameStream stream;
  PeerProcess process;
  ClassId worker_class;
  std::string name;  // of its program, for people
  std::uint64_t features = 0;
  std::uint8_t credits = 1;
};

struct StrangerBook {
  std::map<std::uint64_t, Registration> asked{};  // that have no answer yet, by RegistrationId
  std::uint64_t last_asked = 0;
  // Where the attempts that they hold are written down; null: nowhere. Order: outlives this.
  AttemptFile* attempts = nullptr;
  std::string attempt_trouble{};  // why that is not so at the moment; empty: it is
  // Classes that were paused before and are not here: they come paused.
  std::set<std::string, std::less<>> paused_absent{};
};

}  // namespace warmpool::daemon
