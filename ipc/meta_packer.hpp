// msgpack-c's packer onto a std::string.
#pragma once

#include <string>

#include <msgpack/pack.hpp>

namespace warmpool::ipc {

struct StringStream {
  std::string& out;
  void write(const char* data, std::size_t bytes) { out.append(data, bytes); }
};

using Packer = msgpack::packer<StringStream>;

inline void pack_text(Packer& packer, std::string_view text) {
  packer.pack_str(static_cast<std::uint32_t>(text.size()));
  packer.pack_str_body(text.data(), static_cast<std::uint32_t>(text.size()));
}

}  // namespace warmpool::ipc
