// Meta to bytes and back.
//
// Bounds: an array of values and of lists of values, no deeper; counts at most the bytes that
// remain; integers within their member's type and row; texts valid UTF-8; no float, no map, no
// binary, no extension, no extra field, no trailing byte. Nothing is allocated for a count before
// its elements are there.
#pragma once

#include <string>

#include "ipc/bytes.hpp"
#include "ipc/metas.hpp"
#include "pool/result.hpp"

namespace warmpool::ipc {

inline constexpr std::size_t kMetaBytesMax = 65'535;

// Of every struct in metas.hpp.
//
// Errors: Error::code is a number of Refusal and the text names the field. 5xx (BadMeta, BadUtf8):
// the peer broke the protocol, answer *error* and close. 2xx (BadArgument, of RequestMeta only):
// the frame is sound but the verb or an argument is wrong, answer *refused* and go on.
template <class Meta>
Result<Meta> decode(Bytes meta);

// Appends to `out`; nothing at all when every member is at its default; leaves out defaults at the
// end. Errors: none; REQUIREs that at most kMetaBytesMax are written and texts are within bounds
// (long texts for people: cut them with cut_text first).
template <class Meta>
void encode(const Meta& meta, std::string& out);

// Whether a daemon may accept it. Bounds: priority 0..100, times 0..kDurationMax with timeout, more
// than 0 where given, retries and crashes_max 0..1000, key 1..255 bytes, not both delay and run_at.
// Errors: code BadPriority, BadTime, BadRetries, BadKey or BadArgument; answer *refused*.
Result<void> check_submit(const SubmitMeta& meta);

// The longest prefix of at most `bytes_max` bytes that does not cut a character; U+FFFD is not put
// in. For a text that is not UTF-8: the part before the first bad byte.
std::string_view cut_text(std::string_view text, std::size_t bytes_max);

// For the payload of *received*. Errors: BadFrame when it is no whole number of u64.
Result<std::vector<std::uint64_t>> decode_received(Bytes payload);
void encode_received(std::span<const std::uint64_t> tasks, std::string& out);

}  // namespace warmpool::ipc
