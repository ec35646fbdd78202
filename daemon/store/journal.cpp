// Nothing here is aligned to sectors: to write a sector anew that has the end of the group before
// gives it the same bytes, and SQLite asks as much of the disk for its WAL.
#include "daemon/store/journal.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <utility>

#include <sqlite3.h>
#include <xxhash.h>

#include "daemon/store/change_codec.hpp"
#include "daemon/store/raw_files.hpp"
#include "daemon/store/schema.hpp"
#include "daemon/store/storage_words.hpp"
#include "ipc/fd.hpp"

namespace warmpool::daemon {

static_assert(std::endian::native == std::endian::little, "the numbers of heads are little-endian");

namespace {

constexpr std::uint32_t kFileMagic = 0x6c6a7077, kVersion = 2, kVersionLeast = 1;
constexpr std::uint32_t kGroupMagic = 0x676a7077, kAfterSyncMagic = 0x736a7077;
constexpr std::uint64_t kFirstHalf = 4096;
constexpr std::size_t kBytesKept = 8U << 20;
constexpr std::size_t kBytesAtOnce = 1 << 16;  // a VFS of SQLite's takes no more than twice that

struct FileHead {
  std::uint32_t magic = kFileMagic, version = kVersion;
  std::uint64_t life = 0, half_bytes = 0;
  std::uint64_t salt = 0;  // of the sums of its groups
  std::array<std::uint64_t, 3> rest{};
  std::uint64_t sum = 0;  // of all before it
};

struct GroupHead {
  std::uint32_t magic = kGroupMagic, bytes = 0;
  std::uint64_t mark = 0, sequence = 0, through = 0;
  std::int64_t now = 0, wall = 0;
  std::uint32_t count = 0;
  std::uint32_t turn = 0;  // of its half
  std::uint64_t sum = 0;   // of all before it and of the changes
};
static_assert(sizeof(FileHead) == 64 && sizeof(GroupHead) == 64);

std::uint64_t sum_of(const FileHead& head) { return ::XXH3_64bits(&head, offsetof(FileHead, sum)); }

// What heads have in the place of the life. Nobody else knows it, so that what others wrote into
// payloads is not even looked at.
std::uint64_t mark_of(std::uint32_t version, std::uint64_t life, std::uint64_t salt) {
  return version == kVersionLeast ? life : life ^ salt;
}

// What others wrote into a payload must not read as a group: they do not know the salt.
std::uint64_t sum_of(const GroupHead& head, std::string_view changes, std::uint64_t salt) {
  const auto seed = ::XXH3_64bits_withSeed(&head, offsetof(GroupHead, sum), salt);
  return ::XXH3_64bits_withSeed(changes.data(), changes.size(), seed);
}

std::uint64_t rounded(std::uint64_t bytes) { return (bytes + 7) / 8 * 8; }

template <class Head>
ipc::Bytes bytes_of_head(const Head& head) {
  return std::as_bytes(std::span(&head, 1));
}

Error damaged(const std::string& path, std::string_view what) {
  return {kStoreDamaged,
          path + ' ' + std::string(what) +
              ": what was accepted last may be in it alone; restore a backup, or empty it "
              "(truncate -s 0) to go on with what the tables have"};
}

}  // namespace

std::string journal_path(const std::string& database) { return database + ".journal"; }

Result<JournalFile> JournalFile::open(const std::string& path, const std::string& vfs) {
  auto* system = ::sqlite3_vfs_find(vfs.empty() ? nullptr : vfs.c_str());
  if (system == nullptr) return Error{SQLITE_CANTOPEN, "there is no VFS '" + vfs + "'"};
  // Made here, because SQLite's mode would be that of everybody's files.
  const ipc::UniqueFd made(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!made) return system_error("cannot open " + path);
  JournalFile file;
  file.path_ = path;
  // The VFS goes on using the name that it is given.
  const auto bytes = static_cast<std::size_t>(system->szOsFile);
  file.memory_ = std::make_unique<std::byte[]>(bytes + path.size() + 1);
  char* name = reinterpret_cast<char*>(file.memory_.get() + bytes);
  std::memcpy(name, path.c_str(), path.size() + 1);
  errno = 0;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_SUPER_JOURNAL;
  if (const int code = system->xOpen(system, name, file.file(), flags, nullptr)) {
    if (file.file()->pMethods == nullptr) file.memory_.reset();
    return call_error(path, "it cannot be opened", code);
  }
  return file;
}

JournalFile::JournalFile(JournalFile&& other) noexcept
    : path_(std::move(other.path_)), memory_(std::move(other.memory_)) {}

JournalFile& JournalFile::operator=(JournalFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(memory_, other.memory_);
  return *this;
}

JournalFile::~JournalFile() {
  if (memory_) file()->pMethods->xClose(file());
}

Result<void> JournalFile::told(int code, std::string_view what) const {
  if (code == SQLITE_OK) return {};
  return call_error(path_, what, code);
}

Result<std::uint64_t> JournalFile::size() {
  errno = 0;
  sqlite3_int64 size = 0;
  const auto asked = told(file()->pMethods->xFileSize(file(), &size), "it cannot be looked at");
  if (!asked) return asked.error();
  return static_cast<std::uint64_t>(size);
}

Result<void> JournalFile::read(std::uint64_t at, std::span<std::byte> to) {
  errno = 0;
  for (; !to.empty();) {
    const auto count = std::min(to.size(), kBytesAtOnce);
    const int code = file()->pMethods->xRead(file(), to.data(), static_cast<int>(count),
                                             static_cast<sqlite3_int64>(at));
    if (auto got = told(code, "it cannot be read"); !got) return got;
    to = to.subspan(count);
    at += count;
  }
  return {};
}

Result<void> JournalFile::write(std::uint64_t at, ipc::Bytes bytes) {
  errno = 0;
  for (; !bytes.empty();) {
    const auto count = std::min(bytes.size(), kBytesAtOnce);
    const int code = file()->pMethods->xWrite(file(), bytes.data(), static_cast<int>(count),
                                              static_cast<sqlite3_int64>(at));
    if (auto put = told(code, "it cannot be written"); !put) return put;
    bytes = bytes.subspan(count);
    at += count;
  }
  return {};
}

Result<void> JournalFile::sync() {
  errno = 0;
  return told(file()->pMethods->xSync(file(), SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY),
              "it cannot be synced");
}

Result<Journal> Journal::begin(const Setup& setup) {
  auto file = JournalFile::open(setup.path, setup.vfs);
  if (!file) return file.error();
  const auto size = file->size();
  if (!size) return size.error();
  Journal journal;
  journal.file_ = std::move(*file);
  journal.path_ = setup.path;
  journal.inode_ = inode_of(setup.path);
  journal.life_ = setup.life;
  journal.half_bytes_ = setup.bytes / 2 / 8 * 8;
  journal.step_ = std::max<std::uint64_t>(setup.step, 8);
  journal.end_ = std::max(*size, kFirstHalf);
  if (::getrandom(&journal.salt_, sizeof journal.salt_, 0) != sizeof journal.salt_) {
    return system_error("cannot draw a number");
  }
  FileHead head;
  head.life = setup.life;
  head.half_bytes = journal.half_bytes_;
  head.salt = journal.salt_;
  head.sum = sum_of(head);
  auto done = journal.file_.write(0, bytes_of_head(head));
  if (done) done = journal.file_.sync();
  if (!done) return done.error();
  return journal;
}

std::uint64_t Journal::bytes_of(std::uint64_t changes) {
  return sizeof(GroupHead) + rounded(changes);
}

std::uint64_t Journal::place() const { return kFirstHalf + half_ * half_bytes_ + at_; }

void Journal::turn_over() {
  half_ = 1 - half_;
  at_ = 0;
  ++turn_;
}

// One stat() a group is nothing beside its sync.
Result<void> Journal::still_there() const { return daemon::still_there(path_, inode_); }

// What lies beyond all that was ever written is first written with zeros, some more than is needed:
// the next groups find their place made.
Result<void> Journal::write(const JournalGroup& group, std::uint32_t count,
                            std::string_view changes) {
  const auto total = bytes_of(changes.size());
  GroupHead head;
  if (synced_) head.magic = kAfterSyncMagic;
  head.bytes = static_cast<std::uint32_t>(changes.size());
  head.mark = mark_of(kVersion, life_, salt_);
  head.sequence = group.sequence;
  head.through = group.through.value;
  head.now = group.now.ns;
  head.wall = group.wall.ns;
  head.count = count;
  head.turn = turn_;
  head.sum = sum_of(head, changes, salt_);
  if (bytes_.capacity() > kBytesKept) bytes_ = {};
  bytes_.assign(reinterpret_cast<const char*>(&head), sizeof head);
  bytes_ += changes;
  bytes_.resize(total, '\0');
  const auto from = place();
  const auto needed = from + total;
  if (needed > end_) {
    const auto half_end = kFirstHalf + (half_ + 1) * half_bytes_;
    bytes_.resize(total + std::min(step_, half_end - needed), '\0');
  }
  synced_ = false;
  auto done = file_.write(from, ipc::bytes_of(bytes_));
  end_ = std::max(end_, from + bytes_.size());
  tried_ = total;
  if (!done) return done;
  at_ += total;
  last_[half_] = group.sequence;
  return {};
}

Result<void> Journal::sync() {
  auto done = file_.sync();
  synced_ = synced_ || done;
  return done;
}

// What was never whole in the kernel's memory is whole on no disk.
Journal::Forgotten Journal::forget() {
  const auto size = file_.size();
  if (!size) return Forgotten::Perhaps;
  const std::array<std::byte, sizeof(GroupHead)> nothing{};
  // So that the next life finds nothing that looks like the end of what is there.
  const auto is_not_whole = [&] {
    if (*size >= place() + nothing.size()) (void)file_.write(place(), nothing);
    return Forgotten::Surely;
  };
  if (*size < place() + tried_) return is_not_whole();
  std::string found(static_cast<std::size_t>(tried_), '\0');
  if (!file_.read(place(), std::as_writable_bytes(std::span(found)))) return Forgotten::Perhaps;
  if (found != std::string_view(bytes_).substr(0, found.size())) return is_not_whole();
  if (!file_.write(place(), nothing)) return Forgotten::Perhaps;
  return file_.sync() ? Forgotten::Surely : Forgotten::NotSynced;
}

namespace {

struct Group {
  GroupHead head;
  ipc::Bytes changes;
};

// What `bytes` begin with: a head of this life, whatever is behind it.
std::optional<GroupHead> head_at(ipc::Bytes bytes, const FileHead& file) {
  GroupHead head;
  if (bytes.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, bytes.data(), sizeof head);
  const bool ours = (head.magic == kGroupMagic || head.magic == kAfterSyncMagic) &&
                    head.mark == mark_of(file.version, file.life, file.salt);
  return ours ? std::optional(head) : std::nullopt;
}

// A whole group.
std::optional<Group> group_at(ipc::Bytes bytes, const FileHead& file) {
  const auto head = head_at(bytes, file);
  if (!head || Journal::bytes_of(head->bytes) > bytes.size()) return std::nullopt;
  const auto changes = bytes.subspan(sizeof *head, head->bytes);
  if (head->sum != sum_of(*head, ipc::text_of(changes), file.salt)) return std::nullopt;
  return Group{*head, changes};
}

// What is behind the last group that counts.
struct Tail {
  bool cut = false;   // there is something of the life that is not whole
  bool lost = false;  // and it was synced before something that is there
  ipc::Bytes next;    // from where the next group is whole; empty: it is not there
};

// What is left of a half when its groups are told one after another.
class Half {
 public:
  Half(ipc::Bytes bytes, const FileHead& file) : rest_(bytes), file_(&file) { look(); }

  bool at_end() const { return !good_; }
  const JournalGroup& group() const { return group_; }
  // Of what was written after the group `last`. Order: at_end().
  Tail tail(std::uint64_t last) const {
    Tail tail;
    for (auto from = rest_; from.size() >= sizeof(GroupHead); from = from.subspan(8)) {
      const auto head = head_at(from, *file_);
      if (!head || head->sequence <= last) continue;
      const bool whole = group_at(from, *file_).has_value();  // and so one before it is not
      tail.cut = tail.cut || whole || from.data() == rest_.data();
      tail.lost = tail.lost || (whole && head->magic == kAfterSyncMagic);
      if (whole && head->sequence == last + 1) tail.next = from;
    }
    return tail;
  }
  // Behind what is not whole, from where a whole group begins.
  void go_on(ipc::Bytes from) {
    rest_ = from;
    head_ = {};
    look();
  }
  // False: it is not what a journal holds.
  bool take(ChangeBatch& batch) {
    auto changes = changes_;
    for (std::uint32_t at = 0; at < head_.count; ++at) {
      if (!decode_change(changes, batch.changes.emplace_back(change::Received{}))) return false;
    }
    batch.through = group_.through;
    rest_ = rest_.subspan(static_cast<std::size_t>(Journal::bytes_of(head_.bytes)));
    look();
    return changes.empty();
  }

 private:
  void look() {
    good_ = false;
    const auto found = group_at(rest_, *file_);
    if (!found) return;
    const auto before = std::exchange(head_, found->head);
    if (before.sequence != 0 && (head_.turn != before.turn || head_.sequence <= before.sequence)) {
      return;
    }
    changes_ = found->changes;
    group_ = {head_.sequence, {head_.through}, {head_.now}, {head_.wall}};
    good_ = true;
  }

  ipc::Bytes rest_, changes_;
  const FileHead* file_;
  GroupHead head_;
  JournalGroup group_;
  bool good_ = false;
};

Result<FileHead> read_head(JournalFile& file, std::uint64_t size) {
  FileHead head;
  head.magic = 0;
  if (size < sizeof head) return head;
  if (auto got = file.read(0, std::as_writable_bytes(std::span(&head, 1))); !got) {
    return got.error();
  }
  return head;
}

// None: it was made and never used, or is of another life.
Result<std::optional<FileHead>> head_of(const std::string& path, JournalFile& file,
                                        std::uint64_t size, std::uint64_t life) {
  if (size < sizeof(FileHead)) return std::optional<FileHead>();
  const auto read = read_head(file, size);
  if (!read) return read.error();
  const auto& head = *read;
  if (ipc::text_of(bytes_of_head(head)).find_first_not_of('\0') == std::string_view::npos) {
    return std::optional<FileHead>();
  }
  if (head.magic != kFileMagic || head.sum != sum_of(head)) {
    return damaged(path, "is damaged, or another program's");
  }
  if (head.version < kVersionLeast || head.version > kVersion) {
    return Error{kStoreDamaged, path + " is of version " + std::to_string(head.version) +
                                    ", this daemon knows up to " + std::to_string(kVersion) +
                                    ": use the newer daemon"};
  }
  if (head.life != life) return std::optional<FileHead>();
  return std::optional(head);
}

}  // namespace

Result<std::optional<std::uint64_t>> journal_life(const std::string& path, const std::string& vfs) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0 || found.st_size == 0) {
    return std::optional<std::uint64_t>();
  }
  auto file = JournalFile::open(path, vfs);
  if (!file) return std::optional<std::uint64_t>();
  const auto size = file->size();
  if (!size) return size.error();
  const auto head = read_head(*file, *size);
  if (!head) return head.error();
  const bool tells = head->magic == kFileMagic && head->sum == sum_of(*head);
  return tells ? std::optional(head->life) : std::nullopt;
}

Result<bool> read_journal(const std::string& path, const std::string& vfs, std::uint64_t life,
                          std::uint64_t sequence, const TellGroup& tell) {
  auto file = JournalFile::open(path, vfs);
  if (!file) return file.error();
  const auto size = file->size();
  if (!size) return size.error();
  const auto found = head_of(path, *file, *size, life);
  if (!found) return found.error();
  if (!*found) return false;
  const auto& head = **found;
  std::string bytes(static_cast<std::size_t>(*size), '\0');
  if (auto got = file->read(0, std::as_writable_bytes(std::span(bytes))); !got) return got.error();
  const auto half_of = [&](std::uint64_t which) {
    const auto from = std::min<std::uint64_t>(*size, kFirstHalf + which * head.half_bytes);
    const auto count = std::min(head.half_bytes, *size - from);
    return ipc::bytes_of(std::string_view(bytes).substr(from, count));
  };
  std::array halves{Half(half_of(0), head), Half(half_of(1), head)};
  if (!halves[1].at_end() &&
      (halves[0].at_end() || halves[1].group().sequence < halves[0].group().sequence)) {
    std::swap(halves[0], halves[1]);
  }
  const auto take_all = [&](Half& half) -> Result<void> {
    while (!half.at_end()) {
      const auto group = half.group();
      ChangeBatch batch;
      if (!half.take(batch)) return damaged(path, "holds what is none of ours");
      if (group.sequence <= sequence) continue;
      if (group.sequence != sequence + 1) return damaged(path, "lacks what came before the rest");
      if (auto told = tell(group, std::move(batch)); !told) return told;
      sequence = group.sequence;
    }
    return {};
  };
  while (true) {
    for (auto& half : halves) {
      if (auto done = take_all(half); !done) return done.error();
    }
    const std::array tails{halves[0].tail(sequence), halves[1].tail(sequence)};
    // What is not whole may be what the tables have.
    const auto goes_on = std::ranges::find_if(tails, [](const Tail& t) { return !t.next.empty(); });
    if (goes_on == tails.end()) {
      const bool lost = tails[0].lost || tails[1].lost;
      if (lost) return damaged(path, "is damaged within what was synced");
      return tails[0].cut || tails[1].cut;
    }
    halves[static_cast<std::size_t>(goes_on - tails.begin())].go_on(goes_on->next);
  }
}

}  // namespace warmpool::daemon
