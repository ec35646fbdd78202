// Which member of a meta struct is which field of the table. The compiler checks that both have the
// same number and kinds of fields.
#pragma once

#include <tuple>
#include <type_traits>

#include "ipc/message_rows.hpp"
#include "ipc/metas.hpp"

namespace warmpool::ipc {

template <class Meta>
struct Binding;  // static constexpr: std::span<const Field> fields; std::tuple members; name

// clang-format off
#define WARMPOOL_BIND(meta, kind, ...)                               \
  template <>                                                        \
  struct Binding<meta> {                                             \
    using M = meta;                                                  \
    static constexpr std::string_view name = kind;                   \
    static constexpr std::span<const Field> fields = rows::k##meta;  \
    static constexpr auto members = std::make_tuple(__VA_ARGS__);    \
  }

namespace rows {
// The rows of the table, by the names of the structs.
inline constexpr auto& kHelloMeta = kHello;
inline constexpr auto& kWelcomeMeta = kWelcome;
inline constexpr auto& kErrorMeta = kError;
inline constexpr auto& kTypeNameMeta = kTypeName;
inline constexpr auto& kSubmitMeta = kSubmit;
inline constexpr auto& kRefusedMeta = kRefused;
inline constexpr auto& kSettledMeta = kSettled;
inline constexpr auto& kProgressMeta = kProgress;
inline constexpr auto& kCancelledMeta = kCancelled;
inline constexpr auto& kAssignMeta = kAssign;
inline constexpr auto& kDoneMeta = kDone;
inline constexpr auto& kCancelAttemptMeta = kCancelAttempt;
inline constexpr auto& kFailedMeta = kFailed;
inline constexpr auto& kReportMeta = kReport;
}  // namespace rows

WARMPOOL_BIND(HelloMeta, "hello", &M::role, &M::version_min, &M::version_max, &M::features,
              &M::name, &M::pid, &M::worker_class, &M::types, &M::concurrency);
WARMPOOL_BIND(WelcomeMeta, "welcome", &M::version, &M::features, &M::frame_bytes_max,
              &M::payload_bytes_max, &M::in_flight_max, &M::heartbeat_interval, &M::server,
              &M::result_bytes_max, &M::large_bytes_max);
WARMPOOL_BIND(ErrorMeta, "error", &M::code, &M::text);
WARMPOOL_BIND(TypeNameMeta, "type-name", &M::name);
WARMPOOL_BIND(SubmitMeta, "submit", &M::priority, &M::timeout, &M::deadline, &M::expiry,
              &M::retries, &M::delay, &M::run_at, &M::key, &M::tenant, &M::labels, &M::durability,
              &M::crashes_max, &M::key_use, &M::large_bytes);
WARMPOOL_BIND(RefusedMeta, "refused", &M::code, &M::text, &M::retry_after);
WARMPOOL_BIND(SettledMeta, "settled", &M::verdict, &M::cause, &M::charged_failures,
              &M::charged_crashes, &M::large_bytes);
WARMPOOL_BIND(ProgressMeta, "progress", &M::permille, &M::text);
WARMPOOL_BIND(CancelledMeta, "cancelled", &M::rung, &M::state);
WARMPOOL_BIND(AssignMeta, "assign", &M::timeout, &M::deadline_left, &M::failures, &M::crashes,
              &M::directory, &M::checkpoint_bytes, &M::checkpoint_content,
              &M::large_bytes);
WARMPOOL_BIND(DoneMeta, "done", &M::large_bytes);
WARMPOOL_BIND(CancelAttemptMeta, "cancel-attempt", &M::cause);
WARMPOOL_BIND(FailedMeta, "failed", &M::outcome, &M::retry_after);
WARMPOOL_BIND(ReportMeta, "report", &M::gauges, &M::reason);
#undef WARMPOOL_BIND
// clang-format on

template <class T>
struct MemberOf;
template <class Owner, class T>
struct MemberOf<T Owner::*> {
  using Type = T;
};

template <class T>
struct Unwrapped {
  using Type = T;
};
template <class T>
struct Unwrapped<std::optional<T>> {
  using Type = T;
};

template <class T>
constexpr FieldKind kind_of_type() {
  if constexpr (std::is_same_v<T, Duration> || std::is_same_v<T, WallTime>) return FieldKind::Time;
  if constexpr (std::is_same_v<T, std::string_view>) return FieldKind::Text;
  if constexpr (std::is_same_v<T, std::vector<std::string_view>>) return FieldKind::Texts;
  return FieldKind::Number;
}

// A Number must fit its member, and a word must be one of its table.
template <class T>
constexpr bool fits_type(const Field& field) {
  if (field.kind != kind_of_type<T>()) return false;
  if constexpr (std::is_enum_v<T> && !std::is_same_v<T, Role>) {
    return field.maximum == Words<T>::rows.size() - 1;
  } else if constexpr (std::is_unsigned_v<T>) {
    return field.maximum <= std::numeric_limits<T>::max();
  }
  return true;
}

template <class Meta>
constexpr bool matches_table() {
  return std::apply(
      [](auto... members) {
        std::size_t i = 0;
        return sizeof...(members) == Binding<Meta>::fields.size() &&
               (fits_type<typename Unwrapped<typename MemberOf<decltype(members)>::Type>::Type>(
                    Binding<Meta>::fields[i++]) &&
                ...);
      },
      Binding<Meta>::members);
}

}  // namespace warmpool::ipc
