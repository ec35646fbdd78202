// A body is inline or beside its frame, never both: what each frame says of it must agree.
#include "daemon/large_frames.hpp"

#include <algorithm>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/codec.hpp"
#include "ipc/fault.hpp"

namespace warmpool::daemon {

std::uint64_t large_bytes_max(const Options& options, std::uint64_t features) {
  return (features & ipc::feature::kLarge) != 0 ? options.large_bytes_max : 0;
}

Result<void> check_large(const ipc::Frame& frame, std::uint32_t large_bytes, bool came) {
  const auto bad = [](const char* text) { return ipc::refusal(Refusal::BadFrame, text); };
  if (frame.header.descriptors == 0) return bad("large_bytes without a descriptor");
  if (large_bytes == 0) return bad("a descriptor without large_bytes");
  if (!frame.payload.empty()) return bad("a payload beside a descriptor");
  if (!came) return bad("it announces a descriptor, and not one alone came with it");
  return {};
}

bool fits_frame(std::uint64_t bytes, const Options& options) {
  return bytes + ipc::kMetaBytesMax + ipc::kCheckpointBytesMax <= announced_bytes_max(options);
}

Result<Blob> take_large_result(const Services& services, ipc::CameDescriptors& came,
                               const ipc::Frame& frame) {
  const auto meta = ipc::decode<ipc::DoneMeta>(frame.meta);
  if (!meta) return meta.error();
  if ((frame.header.descriptors | meta->large_bytes) == 0) return Blob();
  auto fd = came.take();
  if (auto fit = check_large(frame, meta->large_bytes, fd.has_value()); !fit) return fit.error();
  const auto& options = services.options();
  const auto most = std::min(options.large_bytes_max, options.results_bytes_max);
  return services.large.take(std::move(*fd), meta->large_bytes, most, LargeBodies::Use::Result,
                             LargeBodies::Form::Sealed, options);
}

bool can_be_read(const Blob& body) {
  const auto fd = body.descriptor();
  struct stat found {};
  char first = 0;
  return ::fstat(fd->get(), &found) == 0 &&
         static_cast<std::uint64_t>(found.st_size) >= body.size() &&
         ::pread(fd->get(), &first, 1, 0) == 1;
}

std::string_view why_not_given(const Services& services, std::uint64_t features, TaskId task) {
  if ((features & ipc::feature::kLarge) != 0) return {};
  const auto stored = services.store.find(task);
  if (!stored || !stored->body->is_by_descriptor()) return {};
  if (!fits_frame(stored->body->size(), services.options())) {
    return "the payload is too large for a frame, and this worker's program does not take "
           "descriptors (feature large); update it, or use another one";
  }
  return can_be_read(*stored->body) ? std::string_view() : kUnreadable;
}

void append_large(ipc::OutBuffer& out, std::uint64_t features, const ipc::Header& header,
                  const StoredTask& stored, ipc::AssignMeta& meta) {
  ipc::Bytes checkpoint;
  if (stored.checkpoint != nullptr && (features & ipc::feature::kCheckpoint) != 0) {
    checkpoint = stored.checkpoint->body.bytes();
    meta.checkpoint_bytes = static_cast<std::uint32_t>(checkpoint.size());
    meta.checkpoint_content = stored.checkpoint->content;
  }
  const auto bytes = stored.body->size();
  const bool beside = (features & ipc::feature::kLarge) != 0;
  if (beside) meta.large_bytes = static_cast<std::uint32_t>(bytes);
  std::string encoded;
  ipc::encode(meta, encoded);
  if (beside) {
    out.append(header, ipc::bytes_of(encoded), checkpoint, stored.body->descriptor());
  } else {
    out.append(header, ipc::bytes_of(encoded), stored.body->descriptor(), bytes, checkpoint);
  }
}

}  // namespace warmpool::daemon
