// Any text as the value of any option (the first byte): refused with a text that names the option,
// or taken; and what was taken is shown as something that is taken again, to the same value.
#include <string>

#include "pool/options.hpp"
#include "pool/require.hpp"

namespace {

using namespace warmpool;

template <class Owner>
void check(const OptionRow<Owner>& row, Owner options, std::string_view text) {
  if (const auto set = set_option(options, row.name, text); !set) {
    REQUIRE(set.error().text.find(row.name) != std::string::npos);
    return;
  }
  if (row.kind == OptionKind::Texts) return;  // shown joined
  const std::string shown = option_text(options, row);
  Owner again = options;
  REQUIRE(set_option(again, row.name, shown));
  REQUIRE(option_text(again, row) == shown);
}

void check_units(std::string_view text) {
  if (const auto duration = parse_duration(text)) {
    REQUIRE(duration->ns >= 0 && *duration <= kDurationMax);
    REQUIRE(parse_duration(duration_text(*duration)).value() == *duration);
  }
  if (const auto bytes = parse_bytes(text)) REQUIRE(*parse_bytes(bytes_text(*bytes)) == *bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static const Options pool = default_options();
  static const ClassOptions worker_class = default_class_options();
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto of_pool = pool_option_rows();
  const auto of_class = class_option_rows();
  const auto of_type = type_option_rows();
  const std::size_t classes_end = of_pool.size() + of_class.size();
  const std::size_t row = data[0] % (classes_end + of_type.size());
  if (row < of_pool.size()) {
    check(of_pool[row], pool, text);
  } else if (row < classes_end) {
    check(of_class[row - of_pool.size()], worker_class, text);
  } else {
    check(of_type[row - classes_end], TypeOptions{}, text);
  }
  check_units(text);
  return 0;
}
