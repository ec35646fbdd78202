// No name is looked up and no other machine is asked, so that a check needs neither a thread nor
// trust in a network.
#include "pool/local_url.hpp"

#include <charconv>

namespace warmpool {
namespace {

std::optional<std::uint32_t> number_of(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return {};
  return number;
}

std::optional<std::string> fact_of(std::string_view name, const UrlFacts& facts) {
  constexpr std::string_view port = "port:";
  if (name == "pid") return std::to_string(facts.pid);
  if (name == "slot") return facts.slot;
  if (name == "number") return std::to_string(facts.number);
  if (name.substr(0, port.size()) != port) return std::nullopt;
  const auto first = number_of(name.substr(port.size()));
  if (!first || *first > 0xffff) return std::nullopt;
  return std::to_string(*first + facts.number);
}

std::optional<std::string> filled(std::string_view url, const UrlFacts& facts) {
  std::string text;
  while (true) {
    const auto open = url.find('{');
    text += url.substr(0, open);
    if (open == std::string_view::npos) return text;
    const auto close = url.find('}', open);
    if (close == std::string_view::npos) return std::nullopt;
    const auto fact = fact_of(url.substr(open + 1, close - open - 1), facts);
    if (!fact) return std::nullopt;
    text += *fact;
    url = url.substr(close + 1);
  }
}

bool is_plain(std::string_view text) {
  for (const char c : text) {
    if (c <= ' ' || c > '~') return false;
  }
  return true;
}

// host, [::1], and what follows it.
std::optional<std::string> take_host(std::string_view& text) {
  for (const std::string_view host : {"127.0.0.1", "localhost", "[::1]"}) {
    if (text.substr(0, host.size()) != host) continue;
    text = text.substr(host.size());
    return std::string(host == "[::1]" ? "::1" : host);
  }
  return std::nullopt;
}

}  // namespace

std::optional<LocalUrl> local_url(std::string_view url, const UrlFacts& facts) {
  constexpr std::string_view scheme = "http://";
  const auto text = filled(url, facts);
  if (!text || !is_plain(*text) || text->substr(0, scheme.size()) != scheme) return std::nullopt;
  std::string_view rest = std::string_view(*text).substr(scheme.size());
  LocalUrl made;
  auto host = take_host(rest);
  if (!host) return std::nullopt;
  made.host = std::move(*host);
  const auto slash = rest.find('/');
  const auto port = rest.substr(0, slash);
  if (slash != std::string_view::npos) made.target = std::string(rest.substr(slash));
  if (port.empty()) return made;
  const auto number = port.front() == ':' ? number_of(port.substr(1)) : std::nullopt;
  if (!number || *number == 0 || *number > 0xffff) return std::nullopt;
  made.port = static_cast<std::uint16_t>(*number);
  return made;
}

bool is_local_url(std::string_view url) {
  return local_url(url, {.pid = 1, .slot = "worker-0", .number = 0}).has_value();
}

}  // namespace warmpool
