// Header bytes are put together by shifts: the same on any machine, and compilers make one move of
// them. The check looks at a table row only, so that a new kind needs no code here.
#include "ipc/frame.hpp"

#include "ipc/fault.hpp"

namespace warmpool::ipc {
namespace {

template <class Number>
void put(std::byte* at, Number number) {
  for (std::size_t i = 0; i < sizeof number; ++i) {
    at[i] = static_cast<std::byte>((static_cast<std::uint64_t>(number) >> (8 * i)) & 0xff);
  }
}

template <class Number>
Number get(const std::byte* at) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    number |= static_cast<std::uint64_t>(at[i]) << (8 * i);
  }
  return static_cast<Number>(number);
}

std::uint8_t uses_of(const Header& header) {
  std::uint8_t uses = 0;
  const auto add = [&](bool used, std::uint8_t bit) {
    if (used) uses = static_cast<std::uint8_t>(uses | bit);
  };
  add(header.id != 0, use::kId);
  add(header.token != 0, use::kToken);
  add(header.round != 0, use::kRound);
  add(header.attempt != 0, use::kAttempt);
  add(header.type != 0, use::kType);
  add(header.credits != 0, use::kCredits);
  add(header.descriptors != 0, use::kDescriptors);
  return uses;
}

std::uint8_t flags_allowed(const KindRow& row) {
  std::uint8_t allowed = row.payload ? flag::kContentMask : 0;
  for (const FlagRow& known : row.flags) allowed = static_cast<std::uint8_t>(allowed | known.bit);
  return allowed;
}

Error bad_frame(const KindRow& row, const char* what) {
  return refusal(Refusal::BadFrame, "frame " + std::string(row.name) + ": " + what);
}

Result<void> check_order(const Header& header, const FrameRules& rules) {
  if (!rules.first) return {};
  const bool to_daemon = rules.to == Party::Daemon;
  if (to_daemon ? header.kind == Kind::Hello
                : header.kind == Kind::Welcome || header.kind == Kind::Error) {
    return {};
  }
  return refusal(Refusal::HelloExpected, std::string("the first frame must be ") +
                                             (to_daemon ? "hello" : "welcome") + ", this is " +
                                             std::string(name_of(header.kind)) + " (kind " +
                                             std::to_string(static_cast<int>(header.kind)) + ")");
}

Result<void> check_direction(const Header& header, const KindRow* row, const FrameRules& rules) {
  if (row == nullptr) {
    return refusal(Refusal::UnknownKind,
                   "no frame has kind " + std::to_string(static_cast<int>(header.kind)));
  }
  const auto unfit = [&](const char* why) {
    return refusal(Refusal::UnknownKind, "frame " + std::string(row->name) + why);
  };
  if (!includes(row->from, rules.from) || !includes(row->to, rules.to)) {
    return unfit(" is not sent in this direction");
  }
  if ((row->needs & ~rules.features) != 0) return unfit(" needs a feature that was not agreed");
  const bool is_late = !rules.first && (row->kind == Kind::Hello || row->kind == Kind::Welcome);
  if (is_late) return unfit(" comes only once");
  return {};
}

Result<void> check_descriptors(const Header& header, const KindRow& row, const FrameRules& rules) {
  if (header.descriptors > 1) return bad_frame(row, "more descriptors than one");
  if (row.kind == Kind::Welcome || (rules.features & feature::kLarge) != 0) return {};
  return bad_frame(row, "a descriptor, and the feature large was not agreed");
}

// Who did not agree to partial results knows these kinds without payload.
bool has_unagreed_partial(const Header& header, const FrameRules& rules) {
  if (header.kind != Kind::Progress && header.kind != Kind::Progressed) return false;
  if ((rules.features & feature::kPartial) != 0) return false;
  return header.body_bytes != header.meta_bytes || (header.flags & flag::kContentMask) != 0;
}

Result<void> check_fields(const Header& header, const KindRow& row, const FrameRules& rules) {
  if (header.meta_bytes > header.body_bytes) return bad_frame(row, "meta_bytes > body_bytes");
  if ((header.flags & ~flags_allowed(row)) != 0) return bad_frame(row, "a flag it does not have");
  if ((uses_of(header) & ~row.fields) != 0) return bad_frame(row, "a field it does not use is set");
  if (header.descriptors != 0) {
    if (auto fit = check_descriptors(header, row, rules); !fit) return fit;
  }
  if (row.meta.empty() && header.meta_bytes != 0) return bad_frame(row, "it has no meta");
  if (!row.payload && header.body_bytes != header.meta_bytes) {
    return bad_frame(row, "it has no payload");
  }
  if (has_unagreed_partial(header, rules)) {
    return bad_frame(row, "a payload, and the feature partial was not agreed");
  }
  return {};
}

}  // namespace

void encode_header(const Header& header, std::span<std::byte, kHeaderBytes> out) {
  std::byte* at = out.data();
  put(at + 0, header.body_bytes);
  put(at + 4, header.meta_bytes);
  put(at + 6, static_cast<std::uint8_t>(header.kind));
  put(at + 7, header.flags);
  put(at + 8, header.id);
  put(at + 16, header.token);
  put(at + 24, header.round);
  put(at + 26, header.attempt);
  put(at + 28, header.type);
  put(at + 30, header.credits);
  put(at + 31, header.descriptors);
}

Header decode_header(std::span<const std::byte, kHeaderBytes> bytes) {
  const std::byte* at = bytes.data();
  return {.body_bytes = get<std::uint32_t>(at + 0),
          .meta_bytes = get<std::uint16_t>(at + 4),
          .kind = get<Kind>(at + 6),
          .flags = get<std::uint8_t>(at + 7),
          .id = get<std::uint64_t>(at + 8),
          .token = get<std::uint64_t>(at + 16),
          .round = get<std::uint16_t>(at + 24),
          .attempt = get<std::uint16_t>(at + 26),
          .type = get<std::uint16_t>(at + 28),
          .credits = get<std::uint8_t>(at + 30),
          .descriptors = get<std::uint8_t>(at + 31)};
}

FrameRules after_hello(FrameRules rules, std::uint32_t frame_bytes_max, std::uint64_t features) {
  rules.frame_bytes_max = frame_bytes_max < kFrameBytesMax ? frame_bytes_max : kFrameBytesMax;
  rules.features = features;
  rules.first = false;
  return rules;
}

Result<void> check_header(const Header& header, const FrameRules& rules) {
  if (auto order = check_order(header, rules); !order) return order;
  const KindRow* row = find_kind(header.kind);
  if (auto direction = check_direction(header, row, rules); !direction) return direction;
  if (header.body_bytes > rules.frame_bytes_max) {
    return refusal(Refusal::FrameTooLarge, "frame " + std::string(row->name) + " announces " +
                                               std::to_string(header.body_bytes) +
                                               " bytes, the most is " +
                                               std::to_string(rules.frame_bytes_max));
  }
  return check_fields(header, *row, rules);
}

}  // namespace warmpool::ipc
