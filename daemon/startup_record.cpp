// A recording has a place of its own, which no two daemons share: each would remove the other's
// oldest files.
#include "daemon/startup.hpp"

namespace warmpool::daemon {
namespace {

constexpr ipc::DirectoryUse kRecordUse{"directory of recordings", "--record-dir"};

}  // namespace

Result<RecordPlace> open_recorder(const Options& options, const Place& place,
                                  const OpenStore& store, Log& log) {
  if (!options.record) return RecordPlace();
  auto path = options.record_dir;
  if (path.empty()) {
    path = (store.place ? store.place->directory.path() : place.directory.path()) + "/flight";
  }
  auto directory = ipc::RuntimeDirectory::open(path, {}, kRecordUse);
  if (!directory) return exit_error(ExitStatus::CannotCreate, directory.error().text);
  auto lock = ipc::RuntimeLock::take(*directory);
  if (!lock) {
    const bool taken = lock.error().code == static_cast<int>(ipc::EndpointFault::LockTaken);
    return exit_error(taken ? ExitStatus::AlreadyRunning : ExitStatus::CannotCreate,
                      lock.error().text);
  }
  RecorderSetup setup{std::move(*directory), options.record_segment_bytes,
                      options.record_segments_max};
  return RecordPlace{std::move(*lock), std::make_unique<FlightRecorder>(std::move(setup), log)};
}

}  // namespace warmpool::daemon
