// Commands that ask the daemon one thing and print its document.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "client/cli/context.hpp"

namespace warmpool::cli {

// How a document is shown without --json.
struct View {
  std::string_view rows;                        // member with a list to show; empty: the whole
  std::span<const std::string_view> columns{};  // of it; empty: all
  std::string_view if_empty = "none";           // said when the list is empty
};

// Asks, and prints the document as JSON or as `view` says. Returns what the command ends with.
int ask_and_print(Context& context, const ipc::RequestMeta& request, const View& view);
// For what may take long: the daemon works at it, so that no time is set.
int ask_patiently(Context& context, const ipc::RequestMeta& request);
int print_document(Context& context, const std::string& document, const View& view);

}  // namespace warmpool::cli
