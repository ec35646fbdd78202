// The command layer: any bytes as the meta of *request*, as a submit's wishes and as the payload of
// *received*. What is taken keeps to the row of its verb.
#include <string>
#include <variant>

#include "ipc/codec.hpp"
#include "ipc/fault.hpp"

namespace {

using namespace warmpool;
using namespace warmpool::ipc;

bool keeps_to(const ArgumentRow& row, const Argument& argument) {
  if (std::holds_alternative<std::monostate>(argument)) return row.may_be_nil;
  switch (row.kind) {
    case ArgumentKind::Number: {
      const auto* number = std::get_if<std::uint64_t>(&argument);
      return number != nullptr && *number <= row.maximum;
    }
    case ArgumentKind::Text: {
      const auto* text = std::get_if<std::string_view>(&argument);
      return text != nullptr && text->size() <= row.maximum && is_utf8(*text);
    }
    case ArgumentKind::Flag:
      return std::holds_alternative<bool>(argument);
    case ArgumentKind::Ids: {
      const auto* ids = std::get_if<std::vector<std::uint64_t>>(&argument);
      return ids != nullptr && ids->size() <= row.maximum;
    }
  }
  return false;
}

void check_request(Bytes bytes) {
  const auto request = decode<RequestMeta>(bytes);
  if (!request) return;
  const VerbRow* row = find_verb(request->verb);
  REQUIRE(row != nullptr);
  for (std::size_t i = 0; i < kArgumentsMax; ++i) {
    const Argument& argument = request->arguments[i];
    if (i < row->arguments.size()) {
      REQUIRE(keeps_to(row->arguments[i], argument));
    } else {
      REQUIRE(std::holds_alternative<std::monostate>(argument));
    }
  }
}

void check_wishes(Bytes bytes) {
  const auto submit = decode<SubmitMeta>(bytes);
  if (!submit || !check_submit(*submit)) return;
  REQUIRE(!submit->priority || *submit->priority <= 100);
  REQUIRE(!submit->timeout || (submit->timeout->ns > 0 && *submit->timeout <= kDurationMax));
  REQUIRE(!submit->key || (!submit->key->empty() && submit->key->size() <= 255));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes bytes = std::as_bytes(std::span(data, size));
  check_request(bytes);
  check_wishes(bytes);
  if (const auto tasks = decode_received(bytes)) {
    std::string again;
    encode_received(*tasks, again);
    REQUIRE(again == text_of(bytes));
  }
  return 0;
}
