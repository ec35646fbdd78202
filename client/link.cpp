// The frames that a client sends. Everything is checked before it is encoded, because the codec
// takes a text that does not fit for a broken contract and not for an error of the caller's caller.
#include "client/link.hpp"

#include <algorithm>
#include <unistd.h>

#include "ipc/codec.hpp"

namespace warmpool::client {

namespace {

constexpr std::size_t kNameBytesMax = 255;
constexpr std::size_t kLabelsMax = 32;

ipc::SubmitMeta meta_of(const SubmitOptions& options) {
  ipc::SubmitMeta meta;
  meta.priority = options.priority;
  meta.timeout = options.timeout;
  meta.deadline = options.deadline;
  meta.expiry = options.expiry;
  meta.retries = options.retries;
  meta.delay = options.delay;
  meta.run_at = options.run_at;
  if (options.key) meta.key = *options.key;
  if (options.key) meta.key_use = options.key_use;
  meta.tenant = options.tenant;
  meta.labels.assign(options.labels.begin(), options.labels.end());
  meta.durability = options.durability;
  meta.crashes_max = options.crashes_max;
  meta.large_bytes = static_cast<std::uint32_t>(options.large_bytes);
  return meta;
}

Error refusal(Refusal code, std::string text) { return {static_cast<int>(code), std::move(text)}; }

Result<void> check_name(std::string_view what, std::string_view text) {
  if (text.size() > kNameBytesMax) {
    return refusal(Refusal::BadArgument, std::string(what) + " has " + std::to_string(text.size()) +
                                             " bytes; at most 255 are allowed");
  }
  if (!ipc::is_utf8(text)) {
    return refusal(Refusal::BadUtf8, std::string(what) + " is not valid UTF-8; encode it");
  }
  return {};
}

std::uint8_t flags_of(const SubmitOptions& options, std::uint64_t features) {
  std::uint8_t flags = ipc::content_flags(options.content);
  const bool progress = options.progress && (features & ipc::feature::kProgress) != 0;
  if (options.wait) flags |= ipc::flag::kWait;
  if (options.cancel_on_disconnect) flags |= ipc::flag::kCancelOnDisconnect;
  if (options.keep_result) flags |= ipc::flag::kKeepResult;
  if (progress) flags |= ipc::flag::kProgress;
  return flags;
}

ipc::Header header_of(ipc::Kind kind, Ticket ticket, TaskId task = {}) {
  ipc::Header header;
  header.kind = kind;
  header.id = task.value;
  header.token = ticket.value;
  return header;
}

}  // namespace

Result<void> check_task(const SubmitOptions& options, std::uint64_t payload_bytes_max,
                        std::uint64_t large_bytes_max) {
  if (options.type.empty()) {
    return refusal(Refusal::UnknownType, "the type is empty; name one, see: warmpool types");
  }
  if (auto checked = check_name("the type", options.type); !checked) return checked;
  if (auto checked = check_name("the tenant", options.tenant); !checked) return checked;
  if (options.labels.size() > kLabelsMax) {
    return refusal(Refusal::BadArgument,
                   std::to_string(options.labels.size()) + " labels; at most 32 are allowed");
  }
  for (const auto& label : options.labels) {
    if (auto checked = check_name("a label", label); !checked) return checked;
  }
  if (options.key && (options.key->empty() || options.key->size() > kNameBytesMax ||
                      !ipc::is_utf8(*options.key))) {
    return refusal(Refusal::BadKey, "the key has " + std::to_string(options.key->size()) +
                                        " bytes; a key is 1 to 255 bytes of UTF-8");
  }
  if (options.payload.size() > payload_bytes_max) {
    return refusal(Refusal::PayloadTooLarge,
                   "the payload has " + std::to_string(options.payload.size()) +
                       " bytes, payload_bytes_max is " + std::to_string(payload_bytes_max) +
                       "; send a path instead, or raise it");
  }
  if (options.large_bytes > large_bytes_max) {
    return refusal(Refusal::PayloadTooLarge,
                   "the payload has " + std::to_string(options.large_bytes) +
                       " bytes, payload_bytes_max is " + std::to_string(payload_bytes_max) +
                       " and large_bytes_max " + std::to_string(large_bytes_max) +
                       (large_bytes_max == 0 ? " (this daemon takes no descriptors)" : "") +
                       "; send a path instead, or raise it");
  }
  return ipc::check_submit(meta_of(options));
}

Result<Link> Link::open(const ipc::SocketAddress& address, std::string_view name, bool stamps,
                        ipc::Deadline deadline) {
  auto socket = ipc::connect_to(address, deadline);
  if (!socket) return socket.error();
  Link link(
      ipc::Channel(std::move(*socket), ipc::before_hello(ipc::Party::Daemon, ipc::Party::Client)));
  link.hello(name, stamps);
  return link;
}

void Link::hello(std::string_view name, bool stamps) {
  ipc::HelloMeta hello;
  hello.features = ipc::feature::kOfClient & channel_.features();
  if (!stamps) hello.features &= ~ipc::feature::kStamps;
  hello.name = ipc::cut_text(name, kNameBytesMax);
  hello.pid = static_cast<std::uint32_t>(::getpid());
  meta_.clear();
  ipc::encode(hello, meta_);
  channel_.send(header_of(ipc::Kind::Hello, {}), ipc::bytes_of(meta_));
}

Result<void> Link::greet(const ipc::Frame& welcome) {
  auto meta = ipc::decode<ipc::WelcomeMeta>(welcome.meta);
  if (!meta) return meta.error();
  if (meta->version != ipc::kVersion) {
    return refusal(Refusal::BadVersion, "the daemon chose version " +
                                            std::to_string(meta->version) +
                                            " of the protocol, which was not offered; update it");
  }
  if (meta->frame_bytes_max < ipc::kHelloBytesMax || meta->frame_bytes_max > ipc::kFrameBytesMax) {
    return refusal(Refusal::BadMeta, "the daemon's frame_bytes_max is " +
                                         std::to_string(meta->frame_bytes_max) +
                                         ", which the protocol does not allow; update it");
  }
  features_ = meta->features;
  payload_bytes_max_ = meta->payload_bytes_max;
  result_bytes_max_ = meta->result_bytes_max;
  const bool large = (features_ & ipc::feature::kLarge) != 0;
  large_bytes_max_ =
      large ? std::min<std::uint64_t>(meta->large_bytes_max, ipc::kLargeBytesMax) : 0;
  channel_.keep_descriptors(large);
  in_flight_max_ = meta->in_flight_max;
  server_ = meta->server;
  channel_.set_rules(ipc::after_hello(channel_.rules(), meta->frame_bytes_max, features_));
  greeted_ = true;
  return {};
}

void Link::submit(Ticket ticket, const SubmitOptions& options, std::string&& payload) {
  const auto given = types_.number_of(options.type);
  if (given.is_new) {
    ipc::Header name = header_of(ipc::Kind::TypeName, {});
    name.type = given.number;
    meta_.clear();
    ipc::encode(ipc::TypeNameMeta{options.type}, meta_);
    channel_.send(name, ipc::bytes_of(meta_));
  }
  ipc::Header header = header_of(ipc::Kind::Submit, ticket);
  header.type = given.number;
  header.flags = flags_of(options, features_);
  meta_.clear();
  ipc::encode(meta_of(options), meta_);
  if (options.large) return channel_.send(header, ipc::bytes_of(meta_), options.large);
  channel_.send(header, ipc::bytes_of(meta_), std::move(payload));
}

void Link::await(Ticket ticket, TaskId task, std::uint8_t flags) {
  ipc::Header header = header_of(ipc::Kind::Await, ticket, task);
  header.flags = flags;
  if ((features_ & ipc::feature::kProgress) == 0) {
    header.flags = static_cast<std::uint8_t>(flags & ~ipc::flag::kProgress);
  }
  channel_.send(header);
}

void Link::cancel(Ticket ticket, TaskId task) {
  channel_.send(header_of(ipc::Kind::Cancel, ticket, task));
}

void Link::request(Ticket ticket, std::string_view meta, const std::string& payload) {
  channel_.send(header_of(ipc::Kind::Request, ticket), ipc::bytes_of(meta), ipc::bytes_of(payload));
}

void Link::events(Ticket ticket, const EventsOptions& options) {
  ipc::RequestMeta request{.verb = ipc::Verb::Events, .arguments = {options.follow}};
  if (options.after) request.arguments[1] = *options.after;
  if (!options.types.empty()) request.arguments[2] = std::string_view(options.types);
  meta_.clear();
  ipc::encode(request, meta_);
  channel_.send(header_of(ipc::Kind::Request, ticket), ipc::bytes_of(meta_));
}

void Link::ping(Ticket ticket) { channel_.send(header_of(ipc::Kind::Ping, ticket)); }

void Link::pong(std::uint64_t token) { channel_.send(header_of(ipc::Kind::Pong, Ticket{token})); }

void Link::received(std::span<const std::uint64_t> tasks, std::uint8_t flags) {
  std::string payload;
  ipc::encode_received(tasks, payload);
  ipc::Header header = header_of(ipc::Kind::Received, {});
  header.flags = flags;
  channel_.send(header, {}, std::move(payload));
}

}  // namespace warmpool::client
