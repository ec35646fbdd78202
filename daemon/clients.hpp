// All clients: their connections, their frames, and the core's answers to them.
#pragma once

#include <deque>
#include <functional>
#include <unordered_map>

#include "daemon/services.hpp"
#include "daemon/session.hpp"
#include "daemon/submit/intake.hpp"
#include "ipc/metas.hpp"
#include "pool/refusal.hpp"

namespace warmpool::daemon {

struct Progress;

struct ClientFigures {
  std::uint64_t connected = 0, accepted = 0, refused = 0, cut = 0, protocol_errors = 0;
  std::uint64_t waiting = 0, unread_bytes = 0;
};

// Order: adopt() in any turn; flush() and bury() end each turn, sweep() comes now and then.
class Clients {
 public:
  Clients(Services& services, Intake& intake, const ipc::RoleTable& roles);
  ~Clients();

  // For a client that is no connection: no other will have it.
  ClientId make_id() { return ClientId{++last_id_}; }
  // A connection was accepted. Answers it with an error and closes it where there are too many.
  void adopt(ipc::UniqueFd fd);

  // The core's answers.
  void carry(const command::Accepted& command);
  void carry(const command::Refused& command);
  void carry(const command::Cancelled& command);
  void carry(const command::Completed& command);
  void carry(const command::Announce& command);
  // A body that was begun has ended. False: it is none of a client's.
  bool carry(const BodyEnded& ended);
  // A worker reported progress of an attempt that it has. Partial results are told to those who
  // agreed to them and read what they are sent.
  void progressed(const AttemptKey& key, const Progress& progress);

  // Verbs are carried out elsewhere: see requests.hpp. `number` is that of the open request;
  // `payload` is on the disk, if that is where it belongs.
  using RequestHandler = std::function<void(Session& session, std::uint32_t number,
                                            const ipc::RequestMeta& meta, KeptBody payload)>;
  using CompletionHandler =
      std::function<std::string(const OpenRequest& open, const command::Completed* completed)>;
  void on_request(RequestHandler handler) { on_request_ = std::move(handler); }
  // A worker that somebody else started said hello. Takes its connection over.
  using WorkerTaker = std::function<void(FrameStream stream, const ipc::Peer& peer,
                                         const ipc::Header& header, const ipc::HelloMeta& hello)>;
  void on_worker(WorkerTaker taker) { on_worker_ = std::move(taker); }
  // Makes the document that ends a verb whose parts the core has answered.
  void on_completion(CompletionHandler handler) { on_completion_ = std::move(handler); }

  // Answers an open request and closes it.
  void reply(Session& session, std::uint32_t number, std::string document);
  void refuse(Session& session, std::uint32_t number, TaskId task, Refusal code,
              std::string_view detail = {}, Duration retry_after = {});

  // A frame of an open request that goes on. `flags` besides the content.
  void event(Session& session, std::uint32_t number, std::uint64_t id, std::uint8_t flags,
             std::string_view document);

  Session* find(ClientId client);
  // Writes to all that have something to be written now; cuts those that do not read.
  void flush();
  // When flush() has something to do; kNever if nothing.
  Instant due() const { return later_.empty() ? kNever : later_.front().at; }
  // Deadlines of hello, of begun frames and of ending sessions.
  void sweep();
  void bury();
  // Tells all that the daemon ends.
  void say_goodbye();
  ClientFigures figures() const;
  std::size_t unwritten() const { return unread_bytes_; }

 private:
  using FrameHandler = void (Clients::*)(Session&, const ipc::Frame&);
  struct FrameRow {
    ipc::Kind kind;
    FrameHandler handler;
  };
  static const FrameRow kFrames[];
  // How long the acceptance of a task that its client waits for may wait for company: alone it
  // costs a write, and wakes a client that has nothing to do with it yet. A short task's result
  // comes sooner.
  static constexpr Duration kAcceptedLateMax = milliseconds(1);
  struct Later {
    ClientId client;
    Instant at;
  };

  // clients.cpp: the life of a connection
  void read(Session& session);
  void take_frames(Session& session);
  void handle(Session& session, const ipc::Frame& frame);
  void break_off(Session& session, int code, std::string_view text);
  void drop(Session& session);
  void write(Session& session);
  void cut_largest();
  void mark(Session& session);
  void mark_later(Session& session, Duration after);
  void mark_due();
  void resume(Session& session);

  // client_frames.cpp
  void on_hello(Session& session, const ipc::Frame& frame);
  bool may_send_arenas(const Session& session) const;
  void hand_over(Session& session, const ipc::Frame& frame, const ipc::HelloMeta& hello);
  void on_ping(Session& session, const ipc::Frame& frame);
  void on_pong(Session& session, const ipc::Frame& frame);
  void on_type_name(Session& session, const ipc::Frame& frame);
  void on_submit(Session& session, const ipc::Frame& frame);
  // As asked by the request `number`. Without `kept` a large payload is begun to be written, and
  // the frame is held until that has ended.
  void submit(Session& session, const ipc::Frame& frame, const ipc::SubmitMeta& meta,
              std::uint32_t number, std::optional<KeptBody> kept, Blob large = {});
  // Its payload comes beside the frame.
  void submit_large(Session& session, const ipc::Frame& frame, const ipc::SubmitMeta& meta);
  bool hold(Session& session, const ipc::Frame& frame, std::uint32_t number, Durability durability,
            Blob& large, std::uint64_t seed);
  // As submit(), of a verb that brings a payload.
  void request(Session& session, const ipc::Frame& frame, const ipc::RequestMeta& meta,
               std::uint32_t number, std::optional<KeptBody> kept);
  Durability durability_of(const ipc::RequestMeta& meta) const;
  void on_await(Session& session, const ipc::Frame& frame);
  void on_cancel(Session& session, const ipc::Frame& frame);
  void on_request_frame(Session& session, const ipc::Frame& frame);
  void on_received(Session& session, const ipc::Frame& frame);
  static void note_received(Session& session, std::uint32_t number);
  void tell_stamps();
  bool open_request(Session& session, const ipc::Header& header, std::uint8_t verb,
                    std::uint32_t& number);
  std::optional<TypeId> type_of(Session& session, std::uint16_t number);
  Refusal check_submit(Session& session, std::uint16_t type, const Wish& wish, TaskSpec& spec,
                       std::string& detail);

  // client_replies.cpp
  void send_settled(Session& session, std::uint32_t number, const StoredTask& task);
  void send_large(Session& session, std::uint32_t number, const StoredTask& task,
                  const ipc::Header& header, ipc::SettledMeta meta);
  void wait_or_answer(Session& session, std::uint32_t number, TaskId task,
                      const std::optional<StoredTask>& stored);
  bool part_done(OpenRequest& open, bool succeeded);
  template <class Meta>
  ipc::Bytes encoded(const Meta& meta);

  Services& services_;
  Intake& intake_;
  const ipc::RoleTable& roles_;
  RequestHandler on_request_;
  WorkerTaker on_worker_;
  CompletionHandler on_completion_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Session>> sessions_;
  std::vector<ClientId> dirty_, gone_;
  std::vector<std::pair<BodyFile, ClientId>> held_;  // who waits for which
  std::deque<Later> later_;      // by time; of some the answers have gone meanwhile
  std::vector<Waiter> waiters_;  // kept for its memory
  std::string meta_;             // likewise
  std::uint64_t last_id_ = 0;
  std::size_t unread_bytes_ = 0;
  ClientFigures figures_;
};

}  // namespace warmpool::daemon
