// Large payloads and results, each in a file of its own beside the database: docs/store.md.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "daemon/store/blob.hpp"
#include "daemon/store/body_file.hpp"
#include "ipc/fd.hpp"
#include "pool/result.hpp"

namespace warmpool::daemon {

// Of the database at `database`.
std::string bodies_directory(const std::string& database);
// "N.payload" or "N.result".
std::string body_name(BodyFile file);
// Errors: it is not there or cannot be read, with errno, or has another size, with code 0; the text
// says which.
// Blocks: while it is read.
Result<Blob> read_body(const std::string& directory, BodyFile file, std::uint64_t bytes);
// Likewise, and it is opened for reading and not read.
Result<ipc::UniqueFd> open_body(const std::string& directory, BodyFile file, std::uint64_t bytes);
// Of such an error: it is not there, or not what was written; that is damage of its task alone.
bool is_body_gone(const Error& error);
// Of any other: the text with what to do. What may be whole is not given up because the system
// cannot give it now.
std::string body_trouble(const Error& error);
// What checksum_of_descriptor() gives of so many bytes. Errors: they cannot be read. Blocks: while
// they are.
Result<std::uint64_t> checksum_of_file(int fd, std::uint64_t bytes);
// The newest life in which a body of the directory was made. None: there is none.
std::optional<std::uint64_t> newest_life_of_bodies(const std::string& directory);
// A directory of bodies that belong to nothing any more, with all in it.
void remove_bodies(const std::string& directory);
// Removes files of bodies that are none of `named`, and what was begun and not finished. Nothing
// else in the directory is touched. Returns how many.
std::size_t sweep_bodies(const std::string& directory, std::vector<BodyFile> named);

// A body is written without a name, synced, linked, and its directory synced, before anybody hears
// of it: a crash leaves a whole file or none. The record that names it comes later; a file that no
// record names is removed at the next start.
//
// Reason for the thread ("warmpool-bodies"): writing and syncing a large body takes as long as the
// disk does, and neither the loop nor the acknowledgements of others may wait for it. Threads:
// begin() and take_ended() are the main thread's, remove() is for any. The thread touches what
// was given to it, and the directory.
class BodyFiles {
 public:
  // The numbers of a life are never used again. `wake_fd`: an eventfd that is written whenever a
  // body has ended; it outlives this.
  BodyFiles(std::string directory, std::uint64_t life, int wake_fd);
  // What was given is carried out first. Blocks: until it is.
  ~BodyFiles();

  // `seed`: of the digest of one by descriptor, which is copied in pieces.
  BodyFile begin(BodyKind kind, Blob body, std::uint64_t seed = 0);
  std::vector<BodyEnded> take_ended();
  // Order: no row on the disk names them any more.
  void remove(std::vector<BodyFile> files);
  // While somebody reads an older state of the database its files stay.
  void hold_removals(bool held);

 private:
  struct Work {
    BodyFile file;
    Blob body;
    std::uint64_t seed;
  };

  void run();
  bool wait();  // false: it is to end, and nothing is left
  Result<BodySums> write(const Work& work);
  void remove_files(const std::vector<BodyFile>& files);

  const std::string directory_;
  const int wake_fd_;
  std::uint64_t next_;

  std::mutex mutex_;  // of what follows up to the empty line
  std::condition_variable wake_;
  std::deque<Work> queue_;
  std::vector<BodyFile> unwanted_;
  std::vector<BodyEnded> ended_;
  bool held_ = false, quits_ = false;

  bool is_made_ = false;  // the directory; the thread's own
  std::thread thread_;
};

}  // namespace warmpool::daemon
