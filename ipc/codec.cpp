// Typed metas from the flat list of values. One function for each type of member, none for each
// meta: fields, order and ranges come from the table through meta_binding.hpp.
#include "ipc/codec.hpp"

#include "ipc/fault.hpp"
#include "ipc/meta_binding.hpp"
#include "ipc/meta_packer.hpp"
#include "ipc/meta_values.hpp"

namespace warmpool::ipc {
namespace {

using Tag = MetaValue::Tag;

constexpr std::size_t kLabelBytesMax = 255;

struct Source {
  const MetaValues& values;
  const MetaValue& value;
  const Field& field;
};

// Each returns what is wrong, or null.
template <class T>
requires std::is_unsigned_v<T> || std::is_enum_v<T>
const char* read(const Source& from, T& out) {
  if (from.value.tag != Tag::Number) return "is no whole number from 0 up";
  const std::uint64_t number = from.value.number;
  if (number < from.field.minimum || number > from.field.maximum) return "is out of range";
  out = static_cast<T>(number);
  return nullptr;
}

template <class T>
requires std::is_same_v<T, Duration> || std::is_same_v<T, WallTime>
const char* read(const Source& from, T& out) {
  if (from.value.tag != Tag::Number && from.value.tag != Tag::Negative) return "is no time";
  const auto ns = static_cast<std::int64_t>(from.value.number);
  if (from.value.tag == Tag::Number && ns < 0) return "is out of range";
  out.ns = ns;
  return nullptr;
}

const char* read(const Source& from, std::string_view& out) {
  if (from.value.tag != Tag::Text) return "is no text";
  if (from.value.text.size() > from.field.maximum) return "is too long";
  out = from.value.text;
  return nullptr;
}

const char* read(const Source& from, std::vector<std::string_view>& out) {
  if (from.value.tag != Tag::List) return "is no list";
  if (from.value.count > from.field.maximum) return "has too many elements";
  out.reserve(from.value.count);
  for (std::uint32_t i = 0; i < from.value.count; ++i) {
    const MetaValue& element = from.values.elements[from.value.first + i];
    if (element.tag != Tag::Text) return "has an element that is no text";
    if (element.text.size() > kLabelBytesMax) return "has an element that is too long";
    out.push_back(element.text);
  }
  return nullptr;
}

template <class T>
const char* read(const Source& from, std::optional<T>& out) {
  return read(from, out.emplace());
}

template <class T>
requires std::is_unsigned_v<T> || std::is_enum_v<T>
void write(Packer& packer, T value) { packer.pack_uint64(static_cast<std::uint64_t>(value)); }
void write(Packer& packer, Duration value) { packer.pack_int64(value.ns); }
void write(Packer& packer, WallTime value) { packer.pack_int64(value.ns); }
void write(Packer& packer, std::string_view text) { pack_text(packer, text); }
void write(Packer& packer, const std::vector<std::string_view>& texts) {
  packer.pack_array(static_cast<std::uint32_t>(texts.size()));
  for (std::string_view text : texts) pack_text(packer, text);
}
template <class T>
void write(Packer& packer, const std::optional<T>& value) {
  if (value) {
    write(packer, *value);
  } else {
    packer.pack_nil();
  }
}

// Whether decode would take it: what we send must not be refused as a broken frame.
template <class T>
bool is_sendable(const Field& field, const T& value) {
  if constexpr (std::is_unsigned_v<T> || std::is_enum_v<T>) {
    const auto number = static_cast<std::uint64_t>(value);
    return number >= field.minimum && number <= field.maximum;
  } else if constexpr (std::is_same_v<T, std::string_view>) {
    return value.size() <= field.maximum;
  } else if constexpr (std::is_same_v<T, std::vector<std::string_view>>) {
    return value.size() <= field.maximum;
  } else {
    return true;
  }
}
template <class T>
bool is_sendable(const Field& field, const std::optional<T>& value) {
  return !value || is_sendable(field, *value);
}

template <class Meta, class Visit>
void for_each_member(Visit visit) {
  std::apply(
      [&](auto... members) {
        std::size_t i = 0;
        (visit(Binding<Meta>::fields[i], i, members), ...);
      },
      Binding<Meta>::members);
}

}  // namespace

template <class Meta>
Result<Meta> decode(Bytes bytes) {
  static_assert(matches_table<Meta>());
  Meta meta;
  if (bytes.empty()) return meta;
  MetaValues values;
  if (auto read_all = read_values(bytes, Binding<Meta>::fields.size(), values); !read_all) {
    return Error{read_all.error().code,
                 std::string(Binding<Meta>::name) + ": " + read_all.error().text};
  }
  const char* wrong = nullptr;
  std::string_view wrong_field;
  for_each_member<Meta>([&](const Field&, std::size_t& i, auto member) {
    const Field& field = Binding<Meta>::fields[i];
    const bool present = i < values.count && values.fields[i].tag != Tag::Nil;
    if (present && wrong == nullptr) {
      wrong = read(Source{values, values.fields[i], field}, meta.*member);
      wrong_field = field.name;
    }
    ++i;
  });
  if (wrong == nullptr) return meta;
  return refusal(Refusal::BadMeta,
                 std::string(Binding<Meta>::name) + ": " + std::string(wrong_field) + " " + wrong);
}

template <class Meta>
void encode(const Meta& meta, std::string& out) {
  const Meta defaults;
  std::size_t used = 0;
  for_each_member<Meta>([&](const Field& field, std::size_t& i, auto member) {
    REQUIRE(is_sendable(field, meta.*member));
    ++i;
    if (meta.*member != defaults.*member) used = i;
  });
  if (used == 0) return;
  const std::size_t start = out.size();
  StringStream stream{out};
  Packer packer(stream);
  packer.pack_array(static_cast<std::uint32_t>(used));
  for_each_member<Meta>([&](const Field&, std::size_t& i, auto member) {
    if (i++ < used) write(packer, meta.*member);
  });
  REQUIRE(out.size() - start <= kMetaBytesMax);
}

#define WARMPOOL_META(Meta)                  \
  template Result<Meta> decode<Meta>(Bytes); \
  template void encode<Meta>(const Meta&, std::string&)
WARMPOOL_META(HelloMeta);
WARMPOOL_META(WelcomeMeta);
WARMPOOL_META(ErrorMeta);
WARMPOOL_META(TypeNameMeta);
WARMPOOL_META(SubmitMeta);
WARMPOOL_META(RefusedMeta);
WARMPOOL_META(SettledMeta);
WARMPOOL_META(ProgressMeta);
WARMPOOL_META(CancelledMeta);
WARMPOOL_META(AssignMeta);
WARMPOOL_META(CancelAttemptMeta);
WARMPOOL_META(DoneMeta);
WARMPOOL_META(FailedMeta);
WARMPOOL_META(ReportMeta);
#undef WARMPOOL_META

}  // namespace warmpool::ipc
