// What the daemon and a template process say to each other (docs/protocol.md, section 12): packets
// of a SOCK_SEQPACKET socket, each of texts that end with NUL.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace warmpool::ipc {

inline constexpr int kTemplateVersion = 1;
// A packet that is longer is cut by the kernel, and then refused.
inline constexpr std::size_t kTemplateBytesMax = 64 * 1024;

// Daemon to template: fork a worker. Beside it its stdout, its stderr and, unless it opens FIFOs by
// name, its channel.
struct ForkRequest {
  std::uint64_t number = 0;
  std::string_view mark;                      // as long as the template's own
  std::vector<std::string_view> environment;  // NAME=VALUE, to be set beside what the template has
};

// Template to daemon.
struct TemplateAnswer {
  enum class Kind : std::uint8_t {
    Ready,   // all is loaded; `number` is the version
    Unfit,   // it cannot fork, now and later; `text` says why
    Forked,  // `number`, `pid`; beside it the pidfd. The worker is not yet the daemon's child
    Done,    // `number`: now it is
    Failed   // `number`, `text`: there is none
  };
  Kind kind{};
  std::uint64_t number = 0;
  std::uint64_t pid = 0;
  std::string_view text{};
};

std::string encode(const ForkRequest& request);
std::string encode(const TemplateAnswer& answer);

// None: it is no such packet. Views are into `packet`.
std::optional<ForkRequest> parse_fork_request(std::string_view packet);
std::optional<TemplateAnswer> parse_template_answer(std::string_view packet);

}  // namespace warmpool::ipc
