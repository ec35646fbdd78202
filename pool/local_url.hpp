// URLs of checks: on this machine only, with what stands for a worker's own in braces.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace warmpool {

struct LocalUrl {
  std::string host;  // 127.0.0.1, ::1 or localhost
  std::uint16_t port = 80;
  std::string target = "/";
};

// What braces stand for.
struct UrlFacts {
  std::int64_t pid = 0;
  std::string slot;      // images-3
  std::uint32_t number;  // 3
};

// {pid}, {slot}, {number}; {port:8100} is 8100 and the number. nullopt: not http, another machine,
// no such port, or braces of another kind.
std::optional<LocalUrl> local_url(std::string_view url, const UrlFacts& facts);
// Whether it is one for the first worker.
bool is_local_url(std::string_view url);

}  // namespace warmpool
