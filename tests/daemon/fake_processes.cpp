// Everything happens when the test says work(), in the test's own thread: nothing races.
#include "tests/daemon/fake_processes.hpp"

#include <array>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/codec.hpp"
#include "ipc/large_body.hpp"
#include "ipc/out_buffer.hpp"
#include "ipc/stamps.hpp"
#include "ipc/template_frames.hpp"

namespace warmpool::daemon {
namespace {

std::array<ipc::UniqueFd, 2> make_pipe() {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
  return {ipc::UniqueFd(ends[0]), ipc::UniqueFd(ends[1])};
}

const auto kBeforeHello = ipc::before_hello(ipc::Party::Daemon, ipc::Party::Worker);

}  // namespace

void FakeWorker::send_bytes(std::string_view bytes) const {
  REQUIRE(::write(channel->write_fd(), bytes.data(), bytes.size()) ==
          static_cast<ssize_t>(bytes.size()));
}

std::string frame_bytes(const ipc::Header& header, std::string_view payload) {
  ipc::OutBuffer out;
  out.append(header, {}, ipc::bytes_of(payload));
  std::string bytes;
  while (!out.empty()) {
    iovec piece{};
    REQUIRE(out.gather({&piece, 1}) == 1);
    bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    out.consume(piece.iov_len);
  }
  return bytes;
}

Result<Child> FakeProcesses::spawn(const SpawnSpec& spec) {
  if (spawn_error != 0) return Error{spawn_error, "the test lets no process start"};
  Child child = begin(workers[spec.worker.value], spec);
  child.launch_status = std::move(make_pipe()[0]);  // its end: the program runs
  return child;
}

Result<ForkOrder> FakeProcesses::order_fork(const SpawnSpec& spec) {
  ForkOrder order;
  order.child = begin(ordered[spec.worker.value], spec);
  const auto mark = std::to_string(spec.worker.value);
  order.packet = ipc::encode(ipc::ForkRequest{spec.worker.value, mark, {}});
  order.descriptors.push_back(std::move(make_pipe()[0]));
  return order;
}

Result<Child> FakeProcesses::take_forked(Child child, ipc::UniqueFd pidfd) {
  REQUIRE(pidfd);
  if (!adopts) {
    abandon(child.worker);
    return Error{ESRCH, "what the template made is no worker"};
  }
  workers.insert(ordered.extract(child.worker.value));
  return child;
}

void FakeProcesses::abandon(WorkerId worker) {
  REQUIRE(ordered.erase(worker.value) == 1);
  abandoned.push_back(worker);
}

Child FakeProcesses::begin(FakeWorker& worker, const SpawnSpec& spec) {
  worker.spec = spec;
  worker.descendants = descendants_of_new;
  worker.exit_event.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  Child child;
  child.worker = spec.worker;
  child.pid = pid_of_new != 0 ? pid_of_new : static_cast<pid_t>(workers.size());  // one of its own
  child.exit_notice.reset(::fcntl(worker.exit_event.get(), F_DUPFD_CLOEXEC, 3));
  if (!watchable) child.exit_notice.reset(::memfd_create("no notice", MFD_CLOEXEC));
  if (spec.role == SpawnRole::Template) {
    connect_template(worker, child);
  } else if (spec.role == SpawnRole::Worker) {
    spec.channel == ChannelKind::Fifos ? connect_fifos(worker, child) : connect(worker, child);
  }
  auto output = make_pipe();
  auto errors = make_pipe();
  child.output = std::move(output[0]);
  child.errors = std::move(errors[0]);
  worker.output = std::move(output[1]);
  worker.errors = std::move(errors[1]);
  return child;
}

// Its channel is the test's own, and it dies by die().
Result<ipc::UniqueFd> FakeProcesses::adopt(Stranger stranger) {
  auto& worker = workers[stranger.worker.value];
  worker.spec.worker = stranger.worker;
  worker.exit_event.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  return ipc::UniqueFd(::fcntl(worker.exit_event.get(), F_DUPFD_CLOEXEC, 3));
}

void FakeProcesses::disown(WorkerId worker) { workers.at(worker.value).disowned = true; }

void FakeProcesses::connect(FakeWorker& worker, Child& child) {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0);
  child.channel.reset(ends[0]);
  worker.channel = std::make_unique<ipc::Channel>(ipc::UniqueFd(ends[1]), kBeforeHello);
}

void FakeProcesses::connect_template(FakeWorker& worker, Child& child) {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) ==
          0);
  child.channel.reset(ends[0]);
  worker.packets.reset(ends[1]);
}

void FakeProcesses::connect_fifos(FakeWorker& worker, Child& child) {
  auto& fifos = child.fifos.emplace(std::move(
      *ipc::FifoPair::make(place().directory, "fake." + std::to_string(worker.spec.worker.value))));
  child.channel = fifos.take_read_end();
  child.channel_out = fifos.take_write_end();
  worker.fifo_in = fifos.in_path();
  worker.fifo_out = fifos.out_path();
  auto in = ipc::open_fifo(AT_FDCWD, worker.fifo_in, O_RDONLY, ::geteuid());
  auto out = ipc::open_fifo(AT_FDCWD, worker.fifo_out, O_WRONLY, ::geteuid());
  worker.channel = std::make_unique<ipc::Channel>(std::move(*in), std::move(*out), kBeforeHello);
}

FakeProcesses::Place& FakeProcesses::place() {
  if (!place_) {
    ::signal(SIGPIPE, SIG_IGN);  // as the daemon's main does
    place_ = std::make_unique<Place>();
    place_->directory = std::move(*ipc::RuntimeDirectory::open(place_->base / "fifos"));
  }
  return *place_;
}

Result<void> FakeProcesses::signal(WorkerId worker, int number) {
  workers.at(worker.value).signals.push_back(number);
  return {};
}

TreeEnd FakeProcesses::kill_tree(WorkerId worker) {
  auto& it = workers.at(worker.value);
  if (!kills) it.signals.push_back(SIGKILL);
  if (!it.exit && kills) die(it, {ExitCause::Signalled, -SIGKILL, false});
  return {};
}

std::optional<MemoryFigure> FakeProcesses::memory(WorkerId worker, MemoryLook look) {
  auto& it = workers.at(worker.value);
  if (it.exit) return std::nullopt;
  it.looks.push_back(look);
  return it.memory;
}

void FakeProcesses::limit_memory(WorkerId worker, std::uint64_t bytes) {
  workers.at(worker.value).memory_max = bytes;
}

void FakeProcesses::forget_ooms(WorkerId worker) {
  auto& it = workers.at(worker.value);
  it.ooms = false;
  ++it.ooms_forgotten;
}

std::vector<pid_t> FakeProcesses::descendants(WorkerId worker, Which) {
  auto& it = workers.at(worker.value);
  ++it.walks;
  return it.descendants;
}

std::uint32_t FakeProcesses::end_others(WorkerId worker, const std::vector<pid_t>& own, Which) {
  auto& it = workers.at(worker.value);
  spared[worker] = own;
  ++it.walks;
  return static_cast<std::uint32_t>(std::exchange(it.descendants, {}).size());
}

Orphans FakeProcesses::reap_orphans() {
  ++reaped;
  return orphans;
}

void FakeProcesses::die(FakeWorker& worker, Exit exit) {
  worker.exit = exit;
  worker.channel.reset();
  worker.packets.reset();
  worker.output.reset();
  worker.errors.reset();
  ::eventfd_write(worker.exit_event.get(), 1);
}

std::optional<Exit> FakeProcesses::inspect(WorkerId worker) {
  return workers.at(worker.value).exit;
}

void FakeProcesses::reap(WorkerId worker) { workers.at(worker.value).reaped = true; }

FakeWorker* FakeProcesses::alive() {
  for (auto& [id, worker] : workers) {
    if (!worker.exit && worker.said_hello) return &worker;
  }
  return nullptr;
}

std::size_t FakeProcesses::alive_count() const {
  std::size_t count = 0;
  for (const auto& [id, worker] : workers) count += worker.exit ? 0U : 1U;
  return count;
}

void FakeProcesses::work() {
  for (auto& [id, worker] : workers) {
    if (worker.exit || !worker.channel) continue;
    if (!worker.said_hello && answers_hello) say_hello(worker);
    worker.channel->pump();
    ipc::Frame frame;
    while (worker.channel && worker.channel->take(frame) == ipc::Channel::State::Frame) {
      take(worker, frame);
    }
    if (worker.channel) worker.channel->pump();
  }
}

void FakeProcesses::say_hello(FakeWorker& worker) {
  worker.said_hello = true;
  ipc::HelloMeta meta;
  meta.role = ipc::Role::Worker;
  meta.features = features & worker.channel->features();
  worker.channel->keep_descriptors((meta.features & ipc::feature::kDescriptors) != 0);
  std::string bytes;
  ipc::encode(meta, bytes);
  worker.channel->send({.kind = ipc::Kind::Hello,
                        .id = worker.spec.worker.value,
                        .token = worker.spec.token + token_offset,
                        .credits = credits},
                       ipc::bytes_of(bytes));
}

void FakeProcesses::take(FakeWorker& worker, const ipc::Frame& frame) {
  const auto& header = frame.header;
  if (header.kind == ipc::Kind::Assign) {
    worker.assigned.push_back(header);
    const auto meta = ipc::decode<ipc::AssignMeta>(frame.meta);
    worker.directories.emplace_back(meta->directory);
    worker.payloads.emplace_back(ipc::text_of(frame.payload));
    worker.checkpoints.push_back(meta->checkpoint_bytes);
    if (header.descriptors != 0) return take_large(worker, header, meta->large_bytes);
  }
  if (header.kind == ipc::Kind::CheckpointPlease) worker.asked.push_back(header);
  if (header.kind == ipc::Kind::Ping && answers_pings) {
    worker.channel->send({.kind = ipc::Kind::Pong, .token = header.token});
  }
  if (header.kind == ipc::Kind::Welcome) {
    const auto welcome = ipc::decode<ipc::WelcomeMeta>(frame.meta);
    worker.features = welcome->features;
    worker.channel->set_rules(
        ipc::after_hello(worker.channel->rules(), welcome->frame_bytes_max, welcome->features));
    if (header.descriptors == 0) return;
    const auto given = worker.channel->take_descriptor();
    auto page = ipc::Mapping::of(given.get(), ipc::kPageBytes, ipc::Mapping::Access::ReadWrite);
    REQUIRE(page);
    worker.page = std::move(*page);
  } else if (header.kind == ipc::Kind::TypeName) {
    const auto meta = ipc::decode<ipc::TypeNameMeta>(frame.meta);
    if (worker.types.size() <= header.type) worker.types.resize(header.type + 1U);
    worker.types[header.type] = std::string(meta->name);
  } else if (header.kind == ipc::Kind::Retire) {
    die(worker, {ExitCause::Exited, 0, false});
  } else if (header.kind == ipc::Kind::Assign && answers_tasks &&
             worker.types.at(header.type) != "hang") {
    const bool fails = worker.types.at(header.type) == "fail";
    auto answer = ipc::run_header(fails ? ipc::Kind::Failed : ipc::Kind::Done, ipc::key_of(header));
    answer.flags = header.flags & ipc::flag::kContentMask;
    const std::string payload =
        fails ? "the handler said no" : std::string(ipc::text_of(frame.payload));
    worker.channel->send(answer, {}, ipc::bytes_of(payload));
    if ((header.flags & ipc::flag::kStamped) == 0 || !says_stamps) return;
    const auto now = ipc::stamp_now();
    worker.channel->send(ipc::run_header(ipc::Kind::Stamps, ipc::key_of(header)), {},
                         ipc::bytes_of(ipc::encode_stamps(ipc::WorkerStamps{now, now, now, now})));
  }
}

void FakeProcesses::take_large(FakeWorker& worker, const ipc::Header& header, std::uint32_t bytes) {
  const auto came = worker.channel->take_descriptor();
  REQUIRE(came);
  const auto view = ipc::LargeView::of(came.get(), bytes);
  REQUIRE(view);
  worker.larges.emplace_back(ipc::text_of(view->bytes()));
  if (!answers_tasks || worker.types.at(header.type) == "hang") return;
  if (worker.types.at(header.type) == "fail") {
    const std::string text = "the handler said no";
    worker.channel->send(ipc::run_header(ipc::Kind::Failed, ipc::key_of(header)), {},
                         ipc::bytes_of(text));
    return;
  }
  auto answer = std::move(large_answer);
  if (!answer) answer = std::move(*ipc::sealed_copy(view->bytes()));
  std::string meta;
  ipc::encode(ipc::DoneMeta{large_answer_bytes != 0 ? large_answer_bytes : bytes}, meta);
  worker.channel->send(ipc::run_header(ipc::Kind::Done, ipc::key_of(header)), ipc::bytes_of(meta),
                       std::make_shared<const ipc::UniqueFd>(std::move(answer)));
}

}  // namespace warmpool::daemon
