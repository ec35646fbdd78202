// The meta of *request*: a verb, then what its row in the table of verbs asks for. A wrong verb or
// argument is a person's mistake more often than a broken program, so it does not end the
// connection.
#include "ipc/codec.hpp"
#include "ipc/fault.hpp"
#include "ipc/meta_packer.hpp"
#include "ipc/meta_values.hpp"

namespace warmpool::ipc {
namespace {

using Tag = MetaValue::Tag;

bool read_ids(const MetaValues& values, const MetaValue& list, const ArgumentRow& row,
              std::vector<std::uint64_t>& out) {
  if (list.tag != Tag::List || list.count > row.maximum) return false;
  out.reserve(list.count);
  for (std::uint32_t i = 0; i < list.count; ++i) {
    const MetaValue& element = values.elements[list.first + i];
    if (element.tag != Tag::Number) return false;
    out.push_back(element.number);
  }
  return true;
}

bool read_argument(const MetaValues& values, const MetaValue& value, const ArgumentRow& row,
                   Argument& out) {
  if (value.tag == Tag::Nil) return row.may_be_nil;
  switch (row.kind) {
    case ArgumentKind::Number:
      out = value.number;
      return value.tag == Tag::Number && value.number <= row.maximum;
    case ArgumentKind::Text:
      out = value.text;
      return value.tag == Tag::Text && value.text.size() <= row.maximum;
    case ArgumentKind::Flag:
      out = value.number == 1;
      return value.tag == Tag::Flag;
    case ArgumentKind::Ids:
      return read_ids(values, value, row, out.emplace<std::vector<std::uint64_t>>());
  }
  return false;
}

Result<RequestMeta> read_request(const MetaValues& values) {
  const MetaValue& verb = values.fields[0];
  const VerbRow* row = nullptr;
  if (values.count > 0 && verb.tag == Tag::Number && verb.number <= 255) {
    row = find_verb(static_cast<Verb>(verb.number));
  }
  if (row == nullptr) return refusal(Refusal::BadArgument, "request: no such verb");
  RequestMeta meta{.verb = row->verb, .arguments = {}};
  const std::string name = "request " + std::string(row->name) + ": ";
  if (values.count > row->arguments.size() + 1) {
    return refusal(Refusal::BadArgument, name + "too many arguments");
  }
  for (std::size_t i = 0; i < row->arguments.size(); ++i) {
    const MetaValue value = i + 1 < values.count ? values.fields[i + 1] : MetaValue{};
    if (!read_argument(values, value, row->arguments[i], meta.arguments[i])) {
      return refusal(Refusal::BadArgument, name + std::string(row->arguments[i].name) +
                                               " is missing, of the wrong kind or out of range");
    }
  }
  return meta;
}

struct ArgumentPacker {
  Packer& packer;
  void operator()(std::monostate) const { packer.pack_nil(); }
  void operator()(bool flag) const { flag ? packer.pack_true() : packer.pack_false(); }
  void operator()(std::uint64_t number) const { packer.pack_uint64(number); }
  void operator()(std::string_view text) const { pack_text(packer, text); }
  void operator()(const std::vector<std::uint64_t>& ids) const {
    packer.pack_array(static_cast<std::uint32_t>(ids.size()));
    for (std::uint64_t id : ids) packer.pack_uint64(id);
  }
};

}  // namespace

template <>
Result<RequestMeta> decode<RequestMeta>(Bytes bytes) {
  MetaValues values;
  // More than any verb has, so that one argument too many is refused and not a broken frame.
  if (auto read_all = read_values(bytes, kMetaFieldsMax, values); !read_all) {
    return Error{read_all.error().code, "request: " + read_all.error().text};
  }
  return read_request(values);
}

template <>
void encode<RequestMeta>(const RequestMeta& meta, std::string& out) {
  const std::size_t start = out.size();
  std::size_t used = kArgumentsMax;
  while (used > 0 && std::holds_alternative<std::monostate>(meta.arguments[used - 1])) --used;
  StringStream stream{out};
  Packer packer(stream);
  packer.pack_array(static_cast<std::uint32_t>(1 + used));
  packer.pack_uint64(static_cast<std::uint64_t>(meta.verb));
  for (std::size_t i = 0; i < used; ++i) std::visit(ArgumentPacker{packer}, meta.arguments[i]);
  REQUIRE(out.size() - start <= kMetaBytesMax);
}

Result<std::vector<std::uint64_t>> decode_received(Bytes payload) {
  if (payload.size() % 8 != 0) {
    return refusal(Refusal::BadFrame, "received: its payload is no whole number of task ids");
  }
  std::vector<std::uint64_t> tasks(payload.size() / 8);
  for (std::size_t i = 0; i < payload.size(); ++i) {
    tasks[i / 8] |= static_cast<std::uint64_t>(payload[i]) << (8 * (i % 8));
  }
  return tasks;
}

void encode_received(std::span<const std::uint64_t> tasks, std::string& out) {
  for (std::uint64_t task : tasks) {
    for (int shift = 0; shift < 64; shift += 8) {
      out.push_back(static_cast<char>(static_cast<unsigned char>(task >> shift & 0xff)));
    }
  }
}

}  // namespace warmpool::ipc
