// One client's connection.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/frame_stream.hpp"
#include "daemon/open_requests.hpp"
#include "daemon/reactor.hpp"
#include "daemon/store/body_file.hpp"
#include "ipc/peer.hpp"
#include "ipc/type_names.hpp"
#include "pool/ids.hpp"
#include "pool/time.hpp"

namespace warmpool::daemon {

struct Session {
  enum class State : std::uint8_t {
    Hello,   // has to say hello
    Open,    // may ask
    Ending,  // gets what is queued, an error last, and is not listened to any more
    Gone,    // is taken away at the end of the turn
  };

  Session(ClientId client, ipc::UniqueFd fd, const ipc::Peer& who, ipc::PeerKind who_kind,
          Instant now)
      : id(client),
        stream(std::move(fd), ipc::before_hello(ipc::Party::Client, ipc::Party::Daemon)),
        peer(who),
        kind(who_kind),
        since(now) {}

  ClientId id;
  State state = State::Hello;
  FrameStream stream;
  std::unique_ptr<Watch> watch;  // Order: ends before stream closes what it watches
  ipc::Peer peer;
  ipc::PeerKind kind;
  std::uint64_t features = 0;
  ipc::TypeNames names;
  std::vector<std::optional<TypeId>> types;  // by the client's numbers, as far as known
  OpenRequests open;
  std::vector<std::uint64_t> received_at;  // by number of the request; with the feature stamps
  Instant since;                           // of Hello: connected; of Ending: began
  std::optional<Instant> frame_since;      // an unfinished frame was begun
  Instant write_at = kNever;               // what is queued may wait until then
  // Set: its last submit, the request of that number, waits until its payload is on the disk, and
  // nothing is read meanwhile: the frame stays valid.
  struct Held {
    ipc::Frame frame;
    std::uint32_t number = 0;
    KeptBody kept;
  };
  std::optional<Held> held;
  bool dirty = false;    // is in the list of those to be flushed
  bool paused = false;   // is not read because it does not read
  bool blocked = false;  // waits until it can be written

  bool may(ipc::Right right) const { return ipc::grant_of(kind, right) != ipc::Grant::No; }
  // May it act on what this user submitted?
  bool may_touch(ipc::Right right, std::uint32_t uid) const {
    const auto grant = ipc::grant_of(kind, right);
    return grant == ipc::Grant::Yes || (grant == ipc::Grant::Own && uid == peer.uid);
  }
};

}  // namespace warmpool::daemon
