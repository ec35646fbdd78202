// Errors of this folder, made in one place.
#pragma once

#include <string>

#include "pool/refusal.hpp"
#include "pool/result.hpp"

namespace warmpool::ipc {

inline Error refusal(Refusal code, std::string text) {
  return {static_cast<int>(code), std::move(text)};
}

// The Refusal of an Error made by the codec, the reader or the checks of this folder.
inline Refusal refusal_of(const Error& error) { return static_cast<Refusal>(error.code); }

// Whether the peer broke the protocol (answer *error*, close) or asked for something that cannot be
// (answer *refused*, go on).
constexpr bool breaks_protocol(Refusal code) { return static_cast<int>(code) / 100 == 5; }

}  // namespace warmpool::ipc
