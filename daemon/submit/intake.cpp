// The payload is copied once: here, out of the frame or the line, and never again.
#include "daemon/submit/intake.hpp"

#include <xxhash.h>

#include "daemon/new_types.hpp"
#include "ipc/codec.hpp"

namespace warmpool::daemon {
namespace {

// One by descriptor that nobody reads is told by its size, which does for who only reconnects.
std::uint64_t digest_of(const Wish& wish) {
  const auto seed = digest_seed_of(wish.type);
  if (wish.large.bytes == 0) {
    return XXH3_64bits_withSeed(wish.payload.data(), wish.payload.size(), seed);
  }
  if (wish.large.digest && wish.meta.key_use == KeyUse::Lasting) return *wish.large.digest;
  return XXH3_64bits_withSeed(&wish.large.bytes, sizeof wish.large.bytes, ~seed);
}

IdempotencyKey key_of_submit(const Wish& wish) {
  const auto& meta = wish.meta;
  std::string text;
  text.reserve(meta.tenant.size() + meta.key->size() + 1);
  text.append(meta.tenant).append(1, '\0').append(*meta.key);
  const auto hash = XXH3_128bits(text.data(), text.size());
  return {hash.high64, hash.low64, digest_of(wish), meta.key_use};
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

std::uint64_t digest_seed_of(std::string_view type) {
  return XXH3_64bits(type.data(), type.size());
}

std::optional<TypeId> Intake::find_type(std::string_view name) {
  return find_or_declare(services_, name);
}

std::string Intake::unknown_type(std::string_view name) const {
  return daemon::unknown_type(services_, name);
}

Refusal Intake::check(const Wish& wish, std::string& detail) const {
  if (auto ok = ipc::check_submit(wish.meta); !ok) {
    detail = ok.error().text;
    return static_cast<Refusal>(ok.error().code);
  }
  if (wish.large.bytes != 0) return Refusal{};  // LargeBodies has checked it
  return check_payload(wish.payload.size(), detail);
}

Refusal Intake::check_payload(std::size_t bytes, std::string& detail) const {
  const auto most = services_.options().payload_bytes_max;
  if (bytes <= most) return Refusal{};
  detail = "the payload has " + std::to_string(bytes) + " bytes, at most " + std::to_string(most) +
           " are taken (payload_bytes_max); send a path instead, or raise it";
  return Refusal::PayloadTooLarge;
}

Refusal Intake::prepare(const Wish& wish, TypeId type, TaskSpec& spec, std::string& detail) {
  const auto tenant = services_.tenants.intern(wish.meta.tenant);
  if (!tenant) {
    detail = "there are too many tenants; use fewer names";
    return Refusal::BadArgument;
  }
  fill_spec(wish.meta, services_.options(), spec);
  spec.type = type;
  spec.tenant = *tenant;
  spec.cancel_on_disconnect = wish.cancel_on_disconnect;
  spec.payload_bytes =
      wish.large.bytes != 0 ? wish.large.bytes : static_cast<std::uint32_t>(wish.payload.size());
  if (wish.meta.key) spec.key = key_of_submit(wish);
  return Refusal{};
}

void Intake::submit(ClientId client, RequestId request, const Wish& wish, const TaskSpec& spec,
                    KeptBody kept) {
  const auto commands = services_.engine.step(event::Submit{client, request, spec});
  const auto* persist = find_record<record::Accepted>(commands);
  if (persist == nullptr) {  // refused, or a duplicate
    if (kept.file) services_.store.drop_body(kept.file);
    return;
  }
  Attachment attachment;
  attachment.body = kept.body.size() != 0 ? std::move(kept.body) : Blob(wish.payload);
  attachment.file = kept.file;
  attachment.content = wish.content;
  // Whoever submits the key again is given the result, which receipts of others must not end.
  attachment.keep_result = wish.keep_result || (spec.key && spec.key->use == KeyUse::Lasting);
  attachment.uid = wish.uid;
  attachment.texts = texts_of(wish.meta);
  services_.engine.attach(persist->number, std::move(attachment));
}

}  // namespace warmpool::daemon
