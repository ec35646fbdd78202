// Any payload of a task of type exec: refused with a text, or a request that a program can be
// started with. And base64 as it comes from there.
#include <string>

#include "ipc/text_forms.hpp"
#include "pool/require.hpp"
#include "worker/stock/exec_request.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace warmpool::worker::stock;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto has_nul = [](const std::string& word) { return word.find('\0') != word.npos; };
  if (const auto request = ExecRequest::from_json(text)) {
    REQUIRE(!request->argv.empty());
    for (const auto& word : request->argv) REQUIRE(!has_nul(word));
    for (const auto& [name, value] : request->env) {
      REQUIRE(!name.empty() && !has_nul(name) && name.find('=') == name.npos);
      REQUIRE(!value || !has_nul(*value));
    }
    REQUIRE(!request->cwd || !has_nul(*request->cwd));
    REQUIRE(request->output_bytes_max <= ExecRequest::kOutputBytesLimit);
    for (const int status : request->ok_status) REQUIRE(status >= 0 && status <= 255);
  } else {
    REQUIRE(!request.error().text.empty());
  }
  REQUIRE(warmpool::ipc::from_base64(warmpool::ipc::base64(text)) == text);
  if (const auto bytes = warmpool::ipc::from_base64(text))
    REQUIRE(bytes->size() <= text.size() / 4 * 3);
  return 0;
}
