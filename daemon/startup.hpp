// The steps from a started process to a daemon that can serve. Errors: everywhere, Error::code is
// the ExitStatus and the text says what to do.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/board_file.hpp"
#include "daemon/class_grants.hpp"
#include "daemon/clock.hpp"
#include "daemon/config/configuration.hpp"
#include "daemon/directory/directory_root.hpp"
#include "daemon/exit_status.hpp"
#include "daemon/process/identity.hpp"
#include "daemon/process/process_port.hpp"
#include "daemon/record/flight_recorder.hpp"
#include "daemon/store/store.hpp"
#include "ipc/client_address.hpp"
#include "ipc/endpoint.hpp"

namespace warmpool::daemon {

Error exit_error(ExitStatus status, std::string text);

// Descriptors 0 to 2 are open (onto /dev/null), files are made for this user alone, and writing to
// a closed pipe is an error and not an end.
Result<void> prepare_process();
// Where this program lies, without a slash at the end; "." where the kernel does not tell.
std::string program_directory();

// Raises the limit of open files to the hard one. A large_held_max, registered_max and
// connections_max that nobody gave are lowered to what fits, with a note; sizes that somebody gave
// and that do not fit are refused.
Result<void> fit_descriptors(Configuration& configuration);

struct Place {
  ipc::RuntimeDirectory directory;
  ipc::RuntimeLock lock;
  std::optional<gid_t> group;
};
// The runtime directory, made or verified, and locked.
Result<Place> take_place(const Options& options);

// Where FIFOs are made: option fifo_dir, or the runtime directory. Owns: a lock of its own where it
// is another directory, so that no two daemons sweep or name one another's files.
struct FifoPlace {
  ipc::RuntimeDirectory directory;
  std::optional<ipc::RuntimeLock> lock;
};
// Verified as the runtime directory is, locked, and swept of what an earlier life left. None where
// no option asks for FIFOs. Errors: also where a user that workers over FIFOs run as cannot reach
// it.
Result<std::optional<FifoPlace>> take_fifo_place(
    const Configuration& configuration, const std::vector<std::optional<Identity>>& identities,
    const Place& place);

// Where the store keeps its files, made (with its parents, where nobody named it) or verified, and
// locked. Option state_dir; else `state` in a runtime directory that was named, because who names
// one has a daemon beside the usual one; else by user.
struct StatePlace {
  ipc::RuntimeDirectory directory;
  ipc::RuntimeLock lock;
  bool in_memory = false;  // a reboot loses it
};
Result<StatePlace> take_state(const Options& options, const Place& place,
                              const ipc::Surroundings& surroundings);

// Where the board is published.
BoardPlace board_place(const Place& place);

// The number of this life: one more than the last one's, which a file in the directory remembers,
// and at least the days since 2026, so that ids are not used again where that file is lost with a
// reboot. Bounds: up to life 8,191 a task's id is below 2^53, which JSON readers in JavaScript and
// jq hold exactly.
Result<std::uint64_t> next_life(const ipc::RuntimeDirectory& directory, WallTime now);
Result<void> keep_life(const ipc::RuntimeDirectory& directory, std::uint64_t life);

// The store that the options ask for, with the number and the beginning of this life.
struct OpenStore {
  std::optional<StatePlace> place;  // none: volatile
  std::unique_ptr<Store> store;
  std::uint64_t life = 1;
  Instant begin{1};  // an Instant of 0 stands for none
};
Result<OpenStore> open_store(const Options& options, const Place& place, TimeSource& time);

// Where the option `record` has what happens written down; null where it is off. Order: outlives
// the daemon.
struct RecordPlace {
  std::optional<ipc::RuntimeLock> lock;
  std::unique_ptr<FlightRecorder> recorder;
};
Result<RecordPlace> open_recorder(const Options& options, const Place& place,
                                  const OpenStore& store, Log& log);

// --restore: what was done, for people. Errors: a daemon runs, or the file is no backup; or it was
// done, and something is lost (ExitStatus::Incomplete).
Result<std::string> restore_state(const Options& options, const Place& place,
                                  const std::string& file);

// Where the directories of workers are made, locked, with what they need on the way to it. Option
// directory_root; else `directories` in the state directory, or where the store is volatile in the
// runtime directory. None: no class has such, and none was made before.
// Errors: a class's user cannot reach it.
Result<std::optional<DirectoryRoot>> take_directories(
    const Configuration& configuration, const std::vector<std::optional<Identity>>& identities,
    const Place& place, const OpenStore& store);

// Whom the workers of each class run as; that they can be given what their class says.
Result<std::vector<std::optional<Identity>>> grant_classes(const Configuration& configuration);

// Ends what an earlier life left, and opens the port. `places`: directories by which processes of
// earlier lives are known; those of this life get the mark of the first.
// Blocks: until all of it is gone, seconds.
// `fifos`: where those of workers are made; null: nowhere. Order: outlives the port.
// `hidden`: users of workers into whose processes this one may not look.
Result<std::unique_ptr<ProcessPort>> start_processes(const Configuration& configuration,
                                                     const std::vector<std::string>& places,
                                                     const ipc::RuntimeDirectory* fifos,
                                                     const std::string& program_dir,
                                                     const std::vector<uid_t>& hidden,
                                                     std::string& swept);

}  // namespace warmpool::daemon
