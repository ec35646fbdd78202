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
  return readable && !letter.payload.is_by_descriptor() && letter.payload.size() <= kTextMax &&
         ipc::is_utf8(ipc::text_of(letter.payload.bytes()));
}

Error said_by_system() { return {errno, std::strerror(errno)}; }

}  // namespace

ArchiveLine::ArchiveLine(const ArchiveLetter& letter) : before_(letter.head) {
  begin(letter);
  if (is_text(letter)) {
    const std::string text(ipc::text_of(letter.payload.bytes()));
    before_ += R"(,"text":)" + nlohmann::json(text).dump();
    after_ = "}}\n";
  } else {
    before_ += R"(,"base64":")";
    in_base64_ = &letter.payload;
    after_ = "\"}}\n";
  }
}

ArchiveLine::ArchiveLine(const ArchiveLetter& letter, std::string_view why_without)
    : before_(letter.head) {
  begin(letter);
  before_ += R"(,"unreadable":)" + nlohmann::json(std::string(why_without)).dump();
  after_ = "}}\n";
}

void ArchiveLine::begin(const ArchiveLetter& letter) {
  before_.pop_back();  // its closing brace
  before_ += R"(,"payload":{"content":")" + std::string(name_of(letter.content)) + R"(","bytes":)" +
             std::to_string(letter.payload.size());
}

std::uint64_t ArchiveLine::bytes() const {
  return before_.size() + (in_base64_ == nullptr ? 0 : (in_base64_->size() + 2) / 3 * 4) +
         after_.size();
}

Result<void> ArchiveLine::write(int fd) const {
  if (!write_all(fd, ipc::bytes_of(before_))) return said_by_system();
  if (in_base64_ != nullptr) {
    if (auto written = write_base64(fd); !written) return written;
  }
  if (!write_all(fd, ipc::bytes_of(after_))) return said_by_system();
  return {};
}

// One by descriptor is read as it is written.
Result<void> ArchiveLine::write_base64(int fd) const {
  const auto from = in_base64_->descriptor();
  std::string read;
  for (std::size_t at = 0; at < in_base64_->size(); at += kPieceBytes) {
    const auto bytes = std::min(kPieceBytes, in_base64_->size() - at);
    if (from) {
      read.resize(bytes);
      if (!read_all_at(from->get(), read, at)) {
        auto error = said_by_system();
        unreadable_ = error.text;
        return error;
      }
    }
    const auto piece =
        from ? std::string_view(read) : ipc::text_of(in_base64_->bytes().subspan(at, bytes));
    const auto text = ipc::base64(piece);
    if (!write_all(fd, ipc::bytes_of(text))) return said_by_system();
  }
  return {};
}

}  // namespace warmpool::daemon
