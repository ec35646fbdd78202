// From a submit frame to the core's TaskSpec. Everything that the core REQUIREs is established
// here; the payload is copied once, into the blob that the store will own.
#include <xxhash.h>

#include "daemon/clients.hpp"
#include "ipc/codec.hpp"

namespace warmpool::daemon {
namespace {

IdempotencyKey key_of_submit(const ipc::SubmitMeta& meta, std::string_view type,
                             ipc::Bytes payload) {
  std::string text;
  text.reserve(meta.tenant.size() + meta.key->size() + 1);
  text.append(meta.tenant).append(1, '\0').append(*meta.key);
  const auto hash = XXH3_128bits(text.data(), text.size());
  const auto seed = XXH3_64bits(type.data(), type.size());
  return {hash.high64, hash.low64, XXH3_64bits_withSeed(payload.data(), payload.size(), seed),
          meta.key_use};
}

std::uint16_t bounded(std::uint64_t number) {
  return static_cast<std::uint16_t>(number);  // checked by ipc::check_submit: at most 1000
}

void fill_spec(const ipc::SubmitMeta& meta, const Options& options, TaskSpec& spec) {
  spec.priority = static_cast<std::uint8_t>(meta.priority.value_or(options.priority));
  spec.durability = meta.durability;
  spec.retries = bounded(meta.retries.value_or(options.retries));
  spec.crashes_max = bounded(meta.crashes_max.value_or(options.crashes_max));
  spec.timeout = meta.timeout.value_or(options.timeout);
  spec.deadline = meta.deadline.value_or(Duration{});
  spec.expiry = meta.expiry.value_or(Duration{});
  spec.delay = meta.delay.value_or(Duration{});
  spec.run_at = meta.run_at.value_or(WallTime{});
}

// A key that only serves to reconnect says nothing to people.
std::unique_ptr<TaskTexts> texts_of(const ipc::SubmitMeta& meta) {
  const bool named = meta.key && meta.key_use == KeyUse::Lasting;
  if (!named && meta.labels.empty()) return nullptr;
  auto texts = std::make_unique<TaskTexts>();
  if (named) texts->key = *meta.key;
  texts->labels.assign(meta.labels.begin(), meta.labels.end());
  return texts;
}

}  // namespace

Refusal Clients::check_submit(Session& session, const ipc::Frame& frame,
                              const ipc::SubmitMeta& meta, TaskSpec& spec, std::string& detail) {
  const auto& options = services_.options();
  if (!session.may(ipc::Right::Submit)) return Refusal::NotAllowed;
  if (auto ok = ipc::check_submit(meta); !ok) {
    detail = ok.error().text;
    return static_cast<Refusal>(ok.error().code);
  }
  if (frame.payload.size() > options.payload_bytes_max) {
    detail = "the payload has " + std::to_string(frame.payload.size()) + " bytes, at most " +
             std::to_string(options.payload_bytes_max) +
             " are taken (payload_bytes_max); send a path instead, or raise it";
    return Refusal::PayloadTooLarge;
  }
  const auto type = type_of(session, frame.header.type);
  if (!type) {
    const auto name = session.names.name_of(frame.header.type);
    detail = name.empty() ? "the type's number was never given a name (frame type-name)"
                          : "no worker class serves '" + std::string(name) +
                                "'; served are: " + services_.types.known_text();
    return Refusal::UnknownType;
  }
  const auto tenant = services_.tenants.intern(meta.tenant);
  if (!tenant) {
    detail = "there are too many tenants; use fewer names";
    return Refusal::BadArgument;
  }
  fill_spec(meta, options, spec);
  spec.type = *type;
  spec.tenant = *tenant;
  spec.cancel_on_disconnect = (frame.header.flags & ipc::flag::kCancelOnDisconnect) != 0;
  spec.payload_bytes = static_cast<std::uint32_t>(frame.payload.size());
  if (meta.key) {
    spec.key = key_of_submit(meta, services_.types.at(*type).name, frame.payload);
  }
  return Refusal{};
}

void Clients::submit(Session& session, std::uint32_t number, const ipc::Frame& frame,
                     const ipc::SubmitMeta& meta, const TaskSpec& spec) {
  const auto commands =
      services_.engine.step(event::Submit{session.id, RequestId{number + 1ULL}, spec});
  const auto* persist = find_record<record::Accepted>(commands);
  if (persist == nullptr) return;  // refused, or a duplicate
  Attachment attachment;
  attachment.body = Blob(frame.payload);
  attachment.content = ipc::content_of(frame.header);
  attachment.keep_result = (frame.header.flags & ipc::flag::kKeepResult) != 0;
  attachment.uid = session.peer.uid;
  attachment.texts = texts_of(meta);
  services_.engine.attach(persist->number, std::move(attachment));
}

}  // namespace warmpool::daemon
