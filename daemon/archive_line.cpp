#include "daemon/archive_line.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <nlohmann/json.hpp>

#include "daemon/whole_files.hpp"
#include "ipc/text_forms.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::size_t kTextMax = 64U << 10;
constexpr std::size_t kPieceBytes = 192U << 10;  // a multiple of 3, so that no piece needs padding
static_assert(kPieceBytes % 3 == 0);

bool is_text(const ArchiveLetter& letter) {
  const bool readable = letter.content == Content::Utf8 || letter.content == Content::Json;
  return readable && letter.payload.size() <= kTextMax &&
         ipc::is_utf8(ipc::text_of(letter.payload.bytes()));
}

}  // namespace

ArchiveLine::ArchiveLine(const ArchiveLetter& letter) : before_(letter.head) {
  before_.pop_back();  // its closing brace
  before_ += R"(,"payload":{"content":")" + std::string(name_of(letter.content)) + R"(","bytes":)" +
             std::to_string(letter.payload.size());
  if (is_text(letter)) {
    const std::string text(ipc::text_of(letter.payload.bytes()));
    before_ += R"(,"text":)" + nlohmann::json(text).dump();
    after_ = "}}\n";
  } else {
    before_ += R"(,"base64":")";
    in_base64_ = letter.payload.bytes();
    after_ = "\"}}\n";
  }
}

std::uint64_t ArchiveLine::bytes() const {
  return before_.size() + (in_base64_.size() + 2) / 3 * 4 + after_.size();
}

Result<void> ArchiveLine::write(int fd) const {
  bool good = write_all(fd, ipc::bytes_of(before_));
  for (std::size_t at = 0; good && at < in_base64_.size(); at += kPieceBytes) {
    const auto piece = in_base64_.subspan(at, std::min(kPieceBytes, in_base64_.size() - at));
    const auto text = ipc::base64(ipc::text_of(piece));
    good = write_all(fd, ipc::bytes_of(text));
  }
  good = good && write_all(fd, ipc::bytes_of(after_));
  if (good) return {};
  return Error{errno, std::strerror(errno)};
}

}  // namespace warmpool::daemon
