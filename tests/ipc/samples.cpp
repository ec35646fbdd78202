#include "tests/ipc/samples.hpp"

#include "ipc/out_buffer.hpp"
#include "ipc/stamps.hpp"

namespace warmpool::ipc::test {
namespace {

constexpr std::uint64_t kTask = (std::uint64_t{3} << 40) | 17;
constexpr std::uint64_t kWorker = (std::uint64_t{9} << 16) | 1;
constexpr std::uint64_t kToken = 0x1122334455667788;
constexpr std::uint64_t kRequestNumber = 7;
// Of a worker that knows no descriptors.
// What was said before there were reports, checkpoints, large bodies, partial results, stamps and
// arenas: bytes that were written down then stay as they are.
constexpr std::uint64_t kLater = feature::kReport | feature::kCheckpoint | feature::kLarge |
                                 feature::kPartial | feature::kStamps | feature::kArena;
constexpr std::uint64_t kOfWorker = feature::kOfWorker & ~kLater;
constexpr std::uint64_t kOfStranger = feature::kOfStranger & ~kLater;
constexpr std::uint64_t kByFrames = kOfWorker & ~feature::kByDescriptor;
constexpr AttemptKey kRun{TaskId{kTask}, 1, 2, kToken};

using List = std::vector<Sample>;

void to_daemon(List& list, Party from, std::string name, Header header, std::string meta = {},
               std::string payload = {}) {
  list.push_back(
      {std::move(name), from, Party::Daemon, header, std::move(meta), std::move(payload)});
}

void from_daemon(List& list, Party to, std::string name, Header header, std::string meta = {},
                 std::string payload = {}) {
  list.push_back({std::move(name), Party::Daemon, to, header, std::move(meta), std::move(payload)});
}

Header numbered(Kind kind, std::uint8_t flags = 0, std::uint64_t id = 0) {
  return {.kind = kind, .flags = flags, .id = id, .token = kRequestNumber};
}

Header run(Kind kind, Content content = Content::Bytes, std::uint16_t type = 0) {
  Header header = run_header(kind, kRun);
  header.flags = content_flags(content);
  header.type = type;
  return header;
}

WelcomeMeta welcome(std::uint64_t features) {
  return {.version = 1,
          .features = features,
          .frame_bytes_max = 17'825'792,
          .payload_bytes_max = 16'777'216,
          .in_flight_max = 65'536,
          .heartbeat_interval = seconds(5),
          .server = "warmpoold 0.1.0",
          .result_bytes_max = 16'777'216};
}

void add_greetings(List& list) {
  to_daemon(list, Party::Client, "hello-client", {.kind = Kind::Hello},
            encoded(HelloMeta{.features = feature::kProgress, .name = "example", .pid = 4711}));
  to_daemon(list, Party::Client, "hello-client-plain", {.kind = Kind::Hello});
  const auto worker_says = [](std::uint64_t features) {
    return encoded(HelloMeta{
        .role = Role::Worker, .features = features, .name = "warmpool-worker", .pid = 4712});
  };
  const Header hello{.kind = Kind::Hello, .id = kWorker, .token = kToken, .credits = 4};
  to_daemon(list, Party::Worker, "hello-worker", hello, worker_says(kByFrames));
  to_daemon(list, Party::Worker, "hello-worker-page", hello, worker_says(kOfWorker));
  to_daemon(list, Party::Worker, "hello-registered", {.kind = Kind::Hello, .credits = 4},
            encoded(HelloMeta{.role = Role::Worker,
                              .features = kOfStranger,
                              .name = "warmpool-worker",
                              .pid = 4713,
                              .worker_class = "thumbs",
                              .types = {"image.resize", "pdf.*"},
                              .concurrency = 2}));
  from_daemon(list, Party::Client, "welcome", {.kind = Kind::Welcome},
              encoded(welcome(feature::kProgress)));
  from_daemon(list, Party::Worker, "welcome-worker", {.kind = Kind::Welcome},
              encoded(welcome(kByFrames)));
  from_daemon(list, Party::Worker, "welcome-worker-page", {.kind = Kind::Welcome, .descriptors = 1},
              encoded(welcome(kOfWorker)));
  from_daemon(list, Party::Worker, "welcome-registered",
              {.kind = Kind::Welcome, .id = kWorker, .descriptors = 1},
              encoded(welcome(kOfStranger)));
  from_daemon(list, Party::Client, "error", {.kind = Kind::Error},
              encoded(ErrorMeta{501, "frame beat: it has no payload"}));
  to_daemon(list, Party::Client, "ping", {.kind = Kind::Ping, .token = 99});
  from_daemon(list, Party::Worker, "pong", {.kind = Kind::Pong, .token = 99});
  to_daemon(list, Party::Client, "type-name", {.kind = Kind::TypeName},
            encoded(TypeNameMeta{"file.digest"}));
  from_daemon(list, Party::Worker, "type-name-worker", {.kind = Kind::TypeName, .type = 3},
              encoded(TypeNameMeta{"file.digest"}));
}

SubmitMeta full_submit() {
  return {.priority = 0,
          .timeout = seconds(30),
          .deadline = minutes(10),
          .expiry = minutes(5),
          .retries = 5,
          .delay = {},
          .run_at = WallTime{1'800'000'000'000'000'000},
          .key = "order-4711",
          .tenant = "büro",
          .labels = {"nightly", "eu"},
          .durability = Durability::Relaxed,
          .crashes_max = 1};
}

void add_tasks(List& list) {
  to_daemon(list, Party::Client, "submit-plain",
            numbered(Kind::Submit, flag::kWait | content_flags(Content::Utf8)), {},
            "/etc/hostname");
  Header full = numbered(Kind::Submit, flag::kWait | flag::kCancelOnDisconnect | flag::kKeepResult |
                                           flag::kProgress | content_flags(Content::Json));
  full.type = 12;
  to_daemon(list, Party::Client, "submit-full", full, encoded(full_submit()), R"({"n":1})");
  to_daemon(list, Party::Client, "submit-reconnect", numbered(Kind::Submit, flag::kWait),
            encoded(SubmitMeta{.key = "4b1d", .key_use = KeyUse::Reconnect}), "x");
  to_daemon(list, Party::Client, "await", numbered(Kind::Await, flag::kProgress, kTask));
  to_daemon(list, Party::Client, "await-now", numbered(Kind::Await, flag::kNow, kTask));
  to_daemon(list, Party::Client, "cancel", numbered(Kind::Cancel, 0, kTask));
  std::string tasks;
  encode_received(std::vector<std::uint64_t>{kTask, kTask + 1}, tasks);
  to_daemon(list, Party::Client, "received", {.kind = Kind::Received}, {}, tasks);
  to_daemon(list, Party::Client, "received-keys-only",
            {.kind = Kind::Received, .flags = flag::kKeysOnly}, {}, tasks);
}

void add_request(List& list, Verb verb, std::array<Argument, kArgumentsMax> arguments = {},
                 const std::string& suffix = {}, const std::string& payload = {}) {
  to_daemon(list, Party::Client, "request-" + std::string(name_of(verb)) + suffix,
            numbered(Kind::Request), encoded(RequestMeta{verb, std::move(arguments)}), payload);
}

void add_requests(List& list) {
  using std::string_view;
  const std::uint64_t number = 20;
  for (Verb verb : {Verb::Status, Verb::Workers, Verb::Config, Verb::Types})
    add_request(list, verb);
  add_request(list, Verb::Worker, {string_view("worker-0")});
  add_request(list, Verb::Show, {kTask});
  add_request(list, Verb::Ls, {string_view("ready"), Argument(), number, kTask});
  add_request(list, Verb::DeadLs, {string_view("file.digest"), number});
  add_request(list, Verb::DeadRetry, {std::vector<std::uint64_t>{kTask, kTask + 1}});
  add_request(list, Verb::DeadRemove, {Argument(), string_view("file.digest")});
  add_request(list, Verb::DeadRetry,
              {Argument(), string_view("file.digest"), string_view("crashed"),
               static_cast<std::uint64_t>(hours(1).ns), string_view("signal 11")},
              "-filter");
  add_request(list, Verb::DeadRetry,
              {std::vector<std::uint64_t>{kTask}, Argument(), Argument(), Argument(), Argument(),
               string_view("json")},
              "-payload", R"({"path":"/right"})");
  add_request(list, Verb::DeadExport, {Argument(), number});
  add_request(list, Verb::Clean,
              {static_cast<std::uint64_t>(hours(168).ns), string_view("cancelled")});
  add_request(list, Verb::Backup, {string_view("/backup/warmpool.db")});
  add_request(list, Verb::Alerts, {true});
  add_request(list, Verb::AlertsAck, {string_view("slow"), string_view("worker-0")});
  add_request(list, Verb::Autopsy, {Argument(), string_view("worker-0")});
  add_request(list, Verb::Breakers, {});
  add_request(list, Verb::BreakerOpen, {string_view("http.fetch"), std::uint64_t{600}});
  add_request(list, Verb::BreakerClose, {string_view("http.fetch")});
  add_request(list, Verb::Scale, {string_view("default"), std::uint64_t{1}, std::uint64_t{2}});
  add_request(list, Verb::Drain, {true});
  add_request(list, Verb::Stop, {false});
  add_request(list, Verb::Pause, {string_view("file.digest")});
  add_request(list, Verb::Pause, {Argument(), string_view("default")}, "-class");
  add_request(list, Verb::Resume);
  add_request(list, Verb::Resume, {Argument(), Argument(), true}, "-all");
  add_request(list, Verb::Release, {kTask});
  add_request(list, Verb::Restart, {string_view("worker-0")});
  add_request(list, Verb::Heartbeat, {string_view("worker-0"), string_view("busy"), kTask});
  add_request(list, Verb::Log, {Argument(), string_view("worker-0"), number});
  add_request(list, Verb::Events, {true, kTask, string_view("task-*,worker-exited")});
}

void add_answers(List& list) {
  const Party client = Party::Client;
  from_daemon(list, client, "stamps", numbered(Kind::Stamps, 0, kTask), {},
              encode_stamps(PathStamps{1'000, 1'200, 1'300, 0, 0, 0, 0, 9'000, 9'100, 9'400}));
  from_daemon(list, client, "accepted", numbered(Kind::Accepted, 0, kTask));
  from_daemon(list, client, "accepted-duplicate",
              numbered(Kind::Accepted, flag::kDuplicate, kTask));
  from_daemon(list, client, "accepted-memory-only",
              numbered(Kind::Accepted, flag::kMemoryOnly, kTask));
  from_daemon(list, client, "refused", numbered(Kind::Refused),
              encoded(RefusedMeta{101, "1000000 tasks wait, the most is 1000000", seconds(2)}));
  Header settled = run(Kind::Settled, Content::Json);
  settled.token = kRequestNumber;
  from_daemon(list, client, "settled-done", settled, {}, R"({"bytes":9})");
  settled.flags = content_flags(Content::Utf8);
  from_daemon(list, client, "settled-dead", settled,
              encoded(SettledMeta{Verdict::Dead, EndCause::Crashed, 1, 3}), "killed by signal 11");
  from_daemon(list, client, "reply", numbered(Kind::Reply, content_flags(Content::Json)), {},
              R"({"left":0})");
  settled.kind = Kind::Progressed;
  settled.flags = 0;
  from_daemon(list, client, "progressed", settled, encoded(ProgressMeta{250, "a quarter"}));
  settled.flags = content_flags(Content::Json);
  from_daemon(list, client, "progressed-partial", settled, encoded(ProgressMeta{250, "a quarter"}),
              R"({"rows":3})");
  from_daemon(list, client, "cancelled", numbered(Kind::Cancelled, 0, kTask),
              encoded(CancelledMeta{Rung::Term, TaskState::Cancelled}));
  from_daemon(
      list, client, "event", numbered(Kind::Event, content_flags(Content::Json), kTask), {},
      R"({"number":3298534883345,"time":"2026-11-23T07:00:00.000Z","event":"pool-shutdown","count":0})");
  from_daemon(
      list, client, "event-gap",
      numbered(Kind::Event, flag::kGap | content_flags(Content::Json), kTask), {},
      R"({"number":3298534883345,"time":"2026-11-23T07:00:00.000Z","event":"gap","missed":12})");
}

void add_work(List& list) {
  const Party worker = Party::Worker;
  Header stamped = run(Kind::Assign, Content::Utf8, 3);
  stamped.flags |= flag::kStamped;
  from_daemon(list, worker, "assign-stamped", stamped, {}, "/etc/hostname");
  to_daemon(list, worker, "stamps-of-worker", run(Kind::Stamps), {},
            encode_stamps(WorkerStamps{1'400, 1'500, 8'000, 8'500}));
  from_daemon(list, worker, "assign", run(Kind::Assign, Content::Utf8, 3),
              encoded(AssignMeta{seconds(300), minutes(10), 1, 0}), "/etc/hostname");
  from_daemon(list, worker, "assign-directory", run(Kind::Assign, Content::Utf8, 3),
              encoded(AssignMeta{.timeout = seconds(300),
                                 .directory = "/var/lib/warmpool/directories/builds/fresh/7.1.1"}),
              "/etc/hostname");
  from_daemon(list, worker, "assign-checkpoint", run(Kind::Assign, Content::Utf8, 3),
              encoded(AssignMeta{.timeout = seconds(300),
                                 .crashes = 1,
                                 .checkpoint_bytes = 10,
                                 .checkpoint_content = Content::Json}),
              R"(/etc/hostname{"row":250})");
  from_daemon(list, worker, "checkpoint-please", run(Kind::CheckpointPlease));
  to_daemon(list, worker, "checkpoint", run(Kind::Checkpoint, Content::Json), {}, R"({"row":250})");
  from_daemon(list, worker, "cancel-attempt", run(Kind::CancelAttempt),
              encoded(CancelAttemptMeta{EndCause::Timeout}));
  from_daemon(list, worker, "recall", run(Kind::Recall));
  from_daemon(list, worker, "retire", {.kind = Kind::Retire});
  from_daemon(list, worker, "retire-come-again", {.kind = Kind::Retire, .flags = flag::kComeAgain});
  to_daemon(list, worker, "done", run(Kind::Done, Content::Json, 180), {}, R"({"bytes":9})");
  to_daemon(list, worker, "failed", run(Kind::Failed, Content::Utf8, 95), {}, "no such file");
  to_daemon(list, worker, "failed-retry-after", run(Kind::Failed, Content::Utf8, 95),
            encoded(FailedMeta{Outcome::RetryAfter, seconds(60)}), "busy");
  to_daemon(list, worker, "progress", run(Kind::Progress), encoded(ProgressMeta{250, "a quarter"}));
  to_daemon(list, worker, "progress-partial", run(Kind::Progress, Content::Json),
            encoded(ProgressMeta{250, "a quarter"}), R"({"rows":3})");
  to_daemon(list, worker, "beat", {.kind = Kind::Beat});
  to_daemon(list, worker, "leave", {.kind = Kind::Leave});
  to_daemon(list, worker, "report", {.kind = Kind::Report, .flags = flag::kDegraded},
            encoded(ReportMeta{{"queue=17", "temperature=-3"}, "the model is the small one"}));
  Header recalled = run(Kind::Recalled);
  to_daemon(list, worker, "recalled", recalled);
  recalled.flags = flag::kReturned;
  to_daemon(list, worker, "recalled-returned", recalled);
}

}  // namespace

std::vector<Sample> samples() {
  List list;
  add_greetings(list);
  add_tasks(list);
  add_requests(list);
  add_answers(list);
  add_work(list);
  return list;
}

const Sample& sample(const std::vector<Sample>& all, std::string_view name) {
  for (const Sample& one : all) {
    if (one.name == name) return one;
  }
  REQUIRE(!"no such sample");
  return all.front();
}

std::string bytes_of_sample(const Sample& sample) {
  OutBuffer out;
  out.append(sample.header, bytes_of(sample.meta), bytes_of(sample.payload));
  std::string bytes;
  while (!out.empty()) {
    iovec piece{};
    REQUIRE(out.gather(std::span(&piece, 1)) == 1);
    bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    out.consume(piece.iov_len);
  }
  return bytes;
}

FrameRules rules_for(const Sample& sample) {
  FrameRules rules = before_hello(sample.from, sample.to);
  if (sample.header.kind == Kind::Hello || sample.header.kind == Kind::Welcome) return rules;
  const bool reports = find_kind(sample.header.kind)->needs == feature::kProgress;
  const std::uint64_t more = reports ? feature::kPartial : 0;
  return after_hello(rules, kHelloBytesMax, find_kind(sample.header.kind)->needs | more);
}

}  // namespace warmpool::ipc::test
