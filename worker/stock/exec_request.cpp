// A member that nobody knows is refused, not skipped: a mistyped "ok_staus" would otherwise turn
// into retries, hours later.
#include "worker/stock/exec_request.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "ipc/text_forms.hpp"

namespace warmpool::worker::stock {
namespace {

using nlohmann::json;

Error wrong(std::string_view member, std::string_view allowed) {
  return {0, "exec: \"" + std::string(member) + "\" must be " + std::string(allowed)};
}

std::optional<std::string> plain_text(const json& value) {
  if (!value.is_string()) return std::nullopt;
  auto text = value.get<std::string>();
  if (text.find('\0') != std::string::npos) return std::nullopt;
  return text;
}

Result<void> set_argv(ExecRequest& request, const json& value) {
  const Error error = wrong("argv", "a list of texts without NUL, the first of them a program");
  if (!value.is_array() || value.empty()) return error;
  for (const json& one : value) {
    auto text = plain_text(one);
    if (!text) return error;
    request.argv.push_back(std::move(*text));
  }
  if (request.argv.front().empty()) return error;
  return {};
}

Result<void> set_env(ExecRequest& request, const json& value) {
  const Error error = wrong("env", "an object of texts or null by name; a name has no '='");
  if (!value.is_object()) return error;
  for (const auto& [name, one] : value.items()) {
    if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string::npos) {
      return error;
    }
    auto text = plain_text(one);
    if (!text && !one.is_null()) return error;
    request.env[name] = std::move(text);
  }
  return {};
}

Result<void> set_stdin(ExecRequest& request, const json& value) {
  if (value.is_string()) {
    request.standard_input = value.get<std::string>();
    return {};
  }
  const Error error = wrong("stdin", "a text or {\"base64\": text}");
  if (!value.is_object() || value.size() != 1 || !value.contains("base64")) return error;
  if (!value["base64"].is_string()) return error;
  request.standard_input = ipc::from_base64(value["base64"].get<std::string>());
  if (!request.standard_input) return error;
  return {};
}

Result<void> set_cwd(ExecRequest& request, const json& value) {
  request.cwd = plain_text(value);
  if (!request.cwd || request.cwd->empty()) return wrong("cwd", "a path without NUL");
  return {};
}

Result<void> set_output_bytes_max(ExecRequest& request, const json& value) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > ExecRequest::kOutputBytesLimit) {
    return wrong("output_bytes_max",
                 "a whole number from 0 to " + std::to_string(ExecRequest::kOutputBytesLimit));
  }
  request.output_bytes_max = value.get<std::uint64_t>();
  return {};
}

bool add_ok_status(ExecRequest& request, const json& value) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > 255) return false;
  request.ok_status.push_back(value.get<int>());
  return true;
}

// Without a copy of `value`: the library copies by recursion, and a list may be nested so deep that
// the stack ends first.
Result<void> set_ok_status(ExecRequest& request, const json& value) {
  request.ok_status.clear();
  const bool good =
      value.is_array()
          ? std::ranges::all_of(value, [&](const json& one) { return add_ok_status(request, one); })
          : add_ok_status(request, value);
  if (!good) return wrong("ok_status", "a whole number from 0 to 255, or a list of them");
  return {};
}

struct Member {
  std::string_view name;
  Result<void> (*set)(ExecRequest&, const json&);
};

constexpr Member kMembers[] = {
    {"argv", set_argv},
    {"env", set_env},
    {"stdin", set_stdin},
    {"cwd", set_cwd},
    {"output_bytes_max", set_output_bytes_max},
    {"ok_status", set_ok_status},
};

}  // namespace

Result<ExecRequest> ExecRequest::from_json(std::string_view text) {
  const json document = json::parse(text, nullptr, false);
  if (!document.is_object()) {
    return Error{0, "exec takes a JSON object: {\"argv\": [\"program\", \"argument\"]}"};
  }
  ExecRequest request;
  for (const auto& [name, value] : document.items()) {
    const auto* member = std::ranges::find(kMembers, name, &Member::name);
    if (member == std::end(kMembers)) {
      return Error{0, "exec knows no member \"" + name + "\"; it knows argv, env, stdin, cwd, " +
                          "output_bytes_max, ok_status"};
    }
    if (auto set = member->set(request, value); !set) return set.error();
  }
  if (request.argv.empty()) return set_argv(request, json{}).error();
  return request;
}

}  // namespace warmpool::worker::stock
