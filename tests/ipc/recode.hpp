// Decodes the meta of any kind and encodes it again: for round trips and fuzzers.
#pragma once

#include <string>

#include "ipc/codec.hpp"
#include "ipc/frame.hpp"

namespace warmpool::ipc::test {

template <class Meta>
Result<std::string> recode_as(Bytes bytes) {
  auto meta = decode<Meta>(bytes);
  if (!meta) return meta.error();
  std::string again;
  encode(*meta, again);
  return again;
}

// Kinds without meta take an empty one only.
inline Result<std::string> recode(Kind kind, Bytes meta) {
  switch (kind) {
    case Kind::Hello:
      return recode_as<HelloMeta>(meta);
    case Kind::Welcome:
      return recode_as<WelcomeMeta>(meta);
    case Kind::Error:
      return recode_as<ErrorMeta>(meta);
    case Kind::TypeName:
      return recode_as<TypeNameMeta>(meta);
    case Kind::Submit:
      return recode_as<SubmitMeta>(meta);
    case Kind::Request:
      return recode_as<RequestMeta>(meta);
    case Kind::Refused:
      return recode_as<RefusedMeta>(meta);
    case Kind::Settled:
      return recode_as<SettledMeta>(meta);
    case Kind::Progress:
    case Kind::Progressed:
      return recode_as<ProgressMeta>(meta);
    case Kind::Cancelled:
      return recode_as<CancelledMeta>(meta);
    case Kind::Assign:
      return recode_as<AssignMeta>(meta);
    case Kind::CancelAttempt:
      return recode_as<CancelAttemptMeta>(meta);
    case Kind::Done:
      return recode_as<DoneMeta>(meta);
    case Kind::Failed:
      return recode_as<FailedMeta>(meta);
    case Kind::Report:
      return recode_as<ReportMeta>(meta);
    default:
      break;
  }
  if (meta.empty()) return std::string();
  return Error{static_cast<int>(Refusal::BadMeta), "no meta"};
}

}  // namespace warmpool::ipc::test
