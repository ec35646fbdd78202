// msgpack-c parses, a visitor with our own limits listens. Its object tree is never made: with the
// library's default limits five bytes (array32 with 2^32-1 elements) reserve gigabytes, and a deep
// tree recurses. The visitor interface is iterative, allocates only its stack (one entry for each
// open array: two here, since the visitor stops at the third) and hands out texts in place.
#include "ipc/meta_values.hpp"

#include <cstddef>

#include <msgpack/null_visitor.hpp>
#include <msgpack/unpack.hpp>

#include "ipc/fault.hpp"

namespace warmpool::ipc {
namespace {

using Tag = MetaValue::Tag;

class Visitor : public msgpack::null_visitor {
 public:
  Visitor(std::size_t bytes, std::size_t fields_max, MetaValues& out)
      : bytes_(bytes), fields_max_(fields_max), out_(out) {}

  Error take_error() { return std::move(error_); }
  bool failed() const { return !error_.text.empty(); }

  bool visit_nil() { return put({}); }
  bool visit_boolean(bool value) { return put({.tag = Tag::Flag, .number = value ? 1U : 0U}); }
  bool visit_positive_integer(std::uint64_t value) {
    return put({.tag = Tag::Number, .number = value});
  }
  bool visit_negative_integer(std::int64_t value) {
    // A peer may write a positive number in a signed format.
    const Tag tag = value < 0 ? Tag::Negative : Tag::Number;
    return put({.tag = tag, .number = static_cast<std::uint64_t>(value)});
  }
  bool visit_str(const char* text, std::uint32_t bytes) {
    const auto view = bytes == 0 ? std::string_view() : std::string_view(text, bytes);
    if (!is_utf8(view) || view.find('\0') != view.npos) {
      return fail(Refusal::BadUtf8, "is no UTF-8 text without NUL");
    }
    return put({.tag = Tag::Text, .text = view});
  }
  bool visit_float32(float) { return fail(Refusal::BadMeta, "is a float"); }
  bool visit_float64(double) { return fail(Refusal::BadMeta, "is a float"); }
  bool visit_bin(const char*, std::uint32_t) { return fail(Refusal::BadMeta, "is binary"); }
  bool visit_ext(const char*, std::uint32_t) { return fail(Refusal::BadMeta, "is an extension"); }
  bool start_map(std::uint32_t) { return fail(Refusal::BadMeta, "is a map"); }

  bool start_array(std::uint32_t count) {
    if (depth_ == 2) return fail(Refusal::BadMeta, "is a list in a list");
    if (count >= bytes_) return fail(Refusal::BadMeta, "has more elements than bytes");
    if (depth_ == 0 && count > fields_max_) {
      return fail(Refusal::BadMeta, "has " + std::to_string(count) + " fields, the most is " +
                                        std::to_string(fields_max_));
    }
    if (depth_ == 1 && !put_list(count)) return false;
    ++depth_;
    return true;
  }
  bool end_array() {
    --depth_;
    return true;
  }

 private:
  bool put_list(std::uint32_t count) {
    if (count > kMetaElementsMax - out_.elements.size()) {
      return fail(Refusal::BadMeta, "has too many elements");
    }
    const auto first = static_cast<std::uint32_t>(out_.elements.size());
    out_.fields[out_.count++] = {.tag = Tag::List, .first = first, .count = count};
    return true;
  }

  bool put(MetaValue value) {
    if (depth_ == 0) return fail(Refusal::BadMeta, "is no array");
    if (depth_ == 1) {
      out_.fields[out_.count++] = value;
    } else {
      out_.elements.push_back(value);
    }
    return true;
  }

  bool fail(Refusal code, std::string what) {
    const std::string where =
        depth_ == 0 ? "meta " : "field " + std::to_string(out_.count + (depth_ == 1 ? 1 : 0)) + " ";
    error_ = refusal(code, where + what);
    return false;
  }

  std::size_t bytes_, fields_max_;
  MetaValues& out_;
  std::size_t depth_ = 0;
  Error error_;
};

}  // namespace

Result<void> read_values(Bytes meta, std::size_t fields_max, MetaValues& out) {
  REQUIRE(fields_max <= kMetaFieldsMax);
  out.count = 0;
  out.elements.clear();
  if (meta.empty()) return {};
  Visitor visitor(meta.size(), fields_max, out);
  const std::string_view text = text_of(meta);
  std::size_t offset = 0;
  bool whole = false;
  try {
    whole = msgpack::parse(text.data(), text.size(), offset, visitor);
  } catch (const msgpack::unpack_error&) {
    whole = false;
  }
  if (visitor.failed()) return visitor.take_error();
  if (!whole) return refusal(Refusal::BadMeta, "meta is cut short or no msgpack");
  if (offset != meta.size()) return refusal(Refusal::BadMeta, "meta has bytes after its array");
  return {};
}

}  // namespace warmpool::ipc
