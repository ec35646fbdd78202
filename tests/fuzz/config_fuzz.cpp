// Any bytes as a configuration file: they are read or refused, each problem is one line that says
// something, and what was taken keeps to its row and is taken again as it is shown.
#include <string>
#include <sys/mman.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "daemon/config/check_config.hpp"
#include "daemon/config/configuration.hpp"
#include "ipc/fd.hpp"
#include "pool/require.hpp"

namespace {

using namespace warmpool;
using namespace warmpool::daemon;

// A file without a directory: nothing is left behind, and no drop-ins are beside it.
std::string file_of(const ipc::UniqueFd& file, const std::uint8_t* data, std::size_t size) {
  REQUIRE(::ftruncate(file.get(), 0) == 0);
  REQUIRE(::pwrite(file.get(), data, size, 0) == static_cast<ssize_t>(size));
  return "/proc/self/fd/" + std::to_string(file.get());
}

template <class Owner>
void check_values(const Owner& values, std::span<const OptionRow<Owner>> rows) {
  for (const auto& row : rows) {
    // Lists are shown joined, and a text that is not set may be one that cannot be given.
    if (row.kind == OptionKind::Texts || row.kind == OptionKind::Text) continue;
    const std::string text = option_text(values, row);
    Owner again = values;
    REQUIRE(set_option(again, row.name, text));
    REQUIRE(option_text(again, row) == text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ipc::UniqueFd file(::memfd_create("fuzz", MFD_CLOEXEC));
  Sources sources;
  sources.program_directory = "/opt/bin";
  sources.config_file = file_of(file, data, size);
  sources.environment = {{"HOME", "/home/someone"}, {"EMPTY", ""}, {"QUOTE", "\"\n${HOME}"}};
  Problems problems;
  const auto built = load_configuration(sources, problems);
  for (const auto& problem : problems) {
    REQUIRE(!problem.text.empty());
    REQUIRE(problem_text(problem).find('\n') == std::string::npos);
  }
  check_values(built.pool.values, pool_option_rows());
  for (const auto& one : built.classes) check_values(one.values, class_option_rows());
  for (const auto& one : built.types) check_values(one.values, type_option_rows());
  if (problems.empty()) {
    REQUIRE(check_options(built.pool.values));
    REQUIRE(!built.classes.empty());
    for (const auto& one : built.classes) REQUIRE(check_options(one.values));
  }
  REQUIRE(nlohmann::json::accept(check_json(built, problems)));
  (void)check_text(built, problems);
  return 0;
}
