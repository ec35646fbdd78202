// Everything is checked before it is believed: the prefix, the checksum of each block, the order of
// the blocks, and that each block is used up by what it says it holds.
#include "daemon/record/segment_reader.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/exit_status.hpp"
#include "ipc/fd.hpp"
#include "pool/pool.hpp"

namespace warmpool::daemon {
namespace {

Error refuse(std::string text) { return {static_cast<int>(ExitStatus::StoreDamaged), text}; }

template <class T>
bool get_all(const std::string& bytes, T& value) {
  image::Reader reader(bytes);
  reader.get(value);
  return reader.good() && reader.empty();
}

}  // namespace

Result<SegmentReader> SegmentReader::open(const std::string& path) {
  ipc::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat found {};
  if (!fd || ::fstat(fd.get(), &found) != 0) return refuse(path + ": " + std::strerror(errno));
  if (!S_ISREG(found.st_mode)) return refuse(path + " is no file");
  OwnedFile file(::fdopen(fd.get(), "rb"));
  if (!file) return refuse(path + ": " + std::strerror(errno));
  (void)fd.release();
  return open(std::move(file), static_cast<std::uint64_t>(found.st_size), path);
}

Result<SegmentReader> SegmentReader::open(OwnedFile file, std::uint64_t size, std::string name) {
  SegmentReader reader(BlockReader(std::move(file), size), std::move(name));
  if (auto read = reader.read_beginning(); !read) return read.error();
  return reader;
}

Error SegmentReader::damaged(const std::string& what) const {
  return refuse(name_ + " is damaged: block " + std::to_string(blocks_.place() + 1) + ", at byte " +
                std::to_string(blocks_.offset()) + ", " + what);
}

Result<void> SegmentReader::check_prefix() {
  std::uint32_t format = 0;
  switch (blocks_.read_prefix(format)) {
    case BlockReader::Prefix::Good:
      return {};
    case BlockReader::Prefix::Newer:
      return refuse(name_ + " has format " + std::to_string(format) + ", and this program reads " +
                    std::to_string(kSegmentFormat) + "; replay it with the program that wrote it");
    case BlockReader::Prefix::Foreign:
      break;
  }
  return refuse(name_ +
                " is no recording of warmpoold; name a file flight-*.rec, or the "
                "directory of them");
}

Result<std::string> SegmentReader::read_first(BlockKind kind) {
  BlockKind found{};
  std::string body;
  switch (blocks_.next(found, body)) {
    case BlockReader::Next::Block:
      if (found == kind) return body;
      return damaged("is not the one that must be there");
    case BlockReader::Next::Damaged:
      return damaged("is not what was written");
    default:
      return refuse(name_ +
                    " ends before its first blocks are whole, as after a kill; nothing in "
                    "it can be replayed");
  }
}

Result<void> SegmentReader::read_beginning() {
  if (auto good = check_prefix(); !good) return good.error();
  const auto header = read_first(BlockKind::Header);
  if (!header) return header.error();
  if (!get_all(*header, header_)) return damaged("is no header");
  if (header_.shape != Pool::shape()) {
    return refuse(name_ + " was written by " + header_.program +
                  " of another build, whose events have other fields; replay it with that program");
  }
  const auto settings = read_first(BlockKind::Settings);
  if (!settings) return settings.error();
  const auto life = header_.life;
  if (!get_all(*settings, settings_) || life == 0 || life >= (std::uint64_t{1} << 24) ||
      settings_.genesis.life != life) {
    return damaged("holds no settings");
  }
  if (header_.start != SegmentStart::Image) return {};
  auto image = read_first(BlockKind::Image);
  if (!image) return image.error();
  image_ = std::move(*image);
  return {};
}

SegmentReader::Next SegmentReader::broken(const std::string& what) {
  error_ = damaged(what);
  return Next::Broken;
}

SegmentReader::Next SegmentReader::next_block() {
  BlockKind kind{};
  switch (blocks_.next(kind, body_)) {
    case BlockReader::Next::Block:
      break;
    case BlockReader::Next::Damaged:
      return broken("is not what was written");
    default:
      return Next::Torn;
  }
  if (kind == BlockKind::End) return Next::End;
  if (kind != BlockKind::Steps) return broken("is not one that may be there");
  items_ = image::Reader(body_);
  std::int64_t begun = 0;
  items_.get(begun);
  now_ = {begun};
  return items_.good() && !items_.empty() ? Next::Item : broken("holds nothing");
}

SegmentReader::Next SegmentReader::next(SegmentItem& item, Instant& at) {
  if (items_.empty()) {
    if (const auto next = next_block(); next != Next::Item) return next;
  }
  items_.get(item);
  if (!items_.good()) return broken("holds what this program cannot have written");
  const auto* step = std::get_if<item::Step>(&item);
  const auto* end = std::get_if<item::ReplayEnd>(&item);
  const auto since = step != nullptr ? step->since : end != nullptr ? end->since : Duration{};
  if (since.ns < 0 || now_.ns > kNever.ns - since.ns) return broken("goes back in time");
  now_ = now_ + since;
  at = now_;
  return Next::Item;
}

}  // namespace warmpool::daemon
