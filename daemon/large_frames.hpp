// Frames with a body that is handed over as a descriptor, of clients and workers alike.
#pragma once

#include "daemon/services.hpp"
#include "ipc/descriptor_passing.hpp"
#include "ipc/metas.hpp"
#include "ipc/out_buffer.hpp"

namespace warmpool::daemon {

// What welcome says: 0 where the feature large was not agreed.
std::uint64_t large_bytes_max(const Options& options, std::uint64_t features);
// Whether a frame that is to have such a body is as the protocol says; `came`: a descriptor did.
// Errors: a number of Refusal; the connection ends.
Result<void> check_large(const ipc::Frame& frame, std::uint32_t large_bytes, bool came);
// Whether a body of so many bytes can go inline to a peer that takes no descriptors.
bool fits_frame(std::uint64_t bytes, const Options& options);

// The result of a *done* with meta or a descriptor; empty: it is inline. What came beside it and is
// refused is closed. Errors: a number of Refusal; from 500 on the connection ends.
Result<Blob> take_large_result(const Services& services, ipc::CameDescriptors& came,
                               const ipc::Frame& frame);
// Whether one by descriptor is as long as it was and can be read at its begin; what lies further in
// is seen when it is sent. Blocks: as a read of one page does.
bool can_be_read(const Blob& body);
inline constexpr std::string_view kUnreadable =
    "the payload cannot be read from its file any more; see the log of the system for errors of "
    "the disk, and submit it again";
// Why a worker with these features cannot be given the task's payload; empty: it can.
std::string_view why_not_given(const Services& services, std::uint64_t features, TaskId task);
// *assign*, with the payload beside it, or inline in pieces. Order: why_not_given().
void append_large(ipc::OutBuffer& out, std::uint64_t features, const ipc::Header& header,
                  const StoredTask& stored, ipc::AssignMeta& meta);

}  // namespace warmpool::daemon
