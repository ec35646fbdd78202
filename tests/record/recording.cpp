#include "tests/record/recording.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace warmpool::daemon {

ipc::RuntimeDirectory directory_at(const std::string& path) {
  auto directory = ipc::RuntimeDirectory::open(path);
  REQUIRE(static_cast<bool>(directory));
  return std::move(*directory);
}

void Recording::begin_life() {
  RecorderSetup setup{directory_at(path()), segment_bytes_, segments_max_};
  setup.waits = !is_behind_;
  if (is_behind_) setup.backlog_bytes = 0;
  recorder_.emplace(std::move(setup), log);
  Genesis genesis;
  genesis.life = ++life_;
  genesis.secret = {life_, 2};
  genesis.jitter_seed = 7;
  genesis.now = now;
  genesis.wall = {now.ns + seconds(1'700'000'000).ns};
  pool_.emplace(genesis);
  recorder_->begin(genesis);
  auto options = default_class_options();
  options.name = "worker";
  options.size = 2;
  options.size_min = 0;
  step(event::ClassDeclared{ClassId{0}, options});
  step(event::TypeDeclared{.type = TypeId{0}, .count = 1});
  end_turn();
}

const std::vector<Command>& Recording::step(const Event& event) {
  commands_.clear();
  pool_->step(now, event, commands_);
  recorder_->stepped(now, event, commands_);
  return commands_;
}

void Recording::step_unseen(const Event& event) {
  commands_.clear();
  pool_->step(now, event, commands_);
}

void Recording::end_turn() {
  step(event::Tick{});
  recorder_->turn_ended(*pool_);
  now = now + milliseconds(1);
}

void Recording::chatter(std::size_t segments) {
  const auto end = recorder_->figures().segment + segments;
  while (recorder_->figures().segment < end) {
    for (int i = 0; i < 20; ++i) step(event::Received{TaskId{12'345}});
    end_turn();
  }
}

TaskId Recording::submit() {
  for (const auto& command : step(event::Submit{ClientId{1}, RequestId{++requests_}, {}})) {
    const auto* persist = std::get_if<command::Persist>(&command);
    if (persist == nullptr) continue;
    return std::get<record::Accepted>(persist->record).task;
  }
  return {};
}

std::vector<std::string> Recording::files() const {
  std::vector<std::string> names;
  const auto numbers = list_segments(path());
  REQUIRE(static_cast<bool>(numbers));
  for (const auto number : *numbers) names.push_back(segment_name(number));
  return names;
}

std::string Recording::read(const std::string& name) const {
  std::ostringstream bytes;
  bytes << std::ifstream(path(name), std::ios::binary).rdbuf();
  return bytes.str();
}

void Recording::write(const std::string& name, std::string_view bytes) const {
  std::ofstream(path(name), std::ios::binary | std::ios::trunc) << bytes;
}

Replay Recording::replay(ReplayOptions options) const { return replay_of(options); }

Replay replay_of(const ReplayOptions& options) {
  Replay replay;
  char* bytes = nullptr;
  std::size_t size = 0;
  {
    const OwnedFile out(::open_memstream(&bytes, &size));
    Replayer replayer(options, out.get());
    if (const auto ran = replayer.run(); !ran) {
      replay.status = ran.error().code;
      replay.error = ran.error().text;
    }
    replay.steps = replayer.steps();
    replay.segments = replayer.segments();
  }
  replay.trace.assign(bytes, size);
  std::free(bytes);
  return replay;
}

}  // namespace warmpool::daemon
