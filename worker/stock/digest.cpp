// One pass in pieces that fit the second cache: SHA-256 by libcrypto (1.5 GB/s with the processor's
// instructions), then lines and words by a table, without a branch (0.6 GB/s; with branches 0.2 on
// bytes that look random).
//
// Lines, words and bytes are those of `LC_ALL=C wc` (coreutils 9.1): a word is a run without white
// space that has at least one printable ASCII character in it.
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include "ipc/fd.hpp"
#include "worker/stock/stock.hpp"

namespace warmpool::worker::stock {
namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;

// What a byte does to a word: begins one, or at least lets it go on.
constexpr unsigned kBegins = 1, kGoesOn = 2;

constexpr auto kEffects = [] {
  std::array<std::uint8_t, 256> effects{};
  effects.fill(kGoesOn);
  for (std::size_t byte = 0x21; byte < 0x7f; ++byte) effects[byte] = kBegins | kGoesOn;
  for (const char space : {' ', '\t', '\n', '\v', '\f', '\r'}) {
    effects[static_cast<unsigned char>(space)] = 0;
  }
  return effects;
}();

struct Counts {
  std::uint64_t bytes = 0, lines = 0, words = 0;
  unsigned in_word = 0;

  void add(const unsigned char* data, std::size_t size) {
    std::uint64_t new_lines = 0, new_words = 0;
    unsigned in = in_word;
    for (const unsigned char* end = data + size; data != end; ++data) {
      const unsigned effect = kEffects[*data];
      const unsigned begins = effect & kBegins;
      new_lines += *data == '\n';
      new_words += begins & (in ^ 1U);
      in = begins | (in & (effect / kGoesOn));
    }
    bytes += size;
    lines += new_lines;
    words += new_words;
    in_word = in;
  }
};

struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { ::EVP_MD_CTX_free(context); }
};

class Sha256 {
 public:
  Sha256() : context_(::EVP_MD_CTX_new()) {
    good_ = context_ && ::EVP_DigestInit_ex(context_.get(), ::EVP_sha256(), nullptr) == 1;
  }
  void add(const unsigned char* data, std::size_t size) {
    good_ = good_ && ::EVP_DigestUpdate(context_.get(), data, size) == 1;
  }
  // Nothing when libcrypto failed on the way.
  std::optional<std::string> hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    good_ = good_ && ::EVP_DigestFinal_ex(context_.get(), digest.data(), &size) == 1;
    if (!good_) return std::nullopt;
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
      text += kDigits[digest[i] >> 4U];
      text += kDigits[digest[i] & 15U];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, FreeDigest> context_;
  bool good_ = false;
};

// No retry can help these; after others (too many open files, a mount that does not answer) one
// may.
bool is_permanent(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case EPERM:
    case ELOOP:
    case ENAMETOOLONG:
    case ENXIO:
    case EISDIR:
      return true;
    default:
      return false;
  }
}

Answer system_failure(std::string_view what, const std::string& path, int error) {
  std::string text = std::string(what) + ' ' + path + ": " + std::strerror(error);
  return is_permanent(error) ? failed_for_good(std::move(text)) : failed(std::move(text));
}

Answer not_regular(const std::string& path, mode_t mode) {
  const std::string_view kind = S_ISDIR(mode)    ? "a directory"
                                : S_ISFIFO(mode) ? "a FIFO"
                                : S_ISSOCK(mode) ? "a socket"
                                                 : "a device";
  return failed_for_good(path + " is " + std::string(kind) + "; file.digest takes regular files");
}

// A path is bytes: those that are no UTF-8 are shown as U+FFFD in JSON.
std::string json_of(const std::string& path, const Counts& counts, const std::string& sha256,
                    bool changed) {
  nlohmann::ordered_json json{{"path", path},
                              {"bytes", counts.bytes},
                              {"lines", counts.lines},
                              {"words", counts.words},
                              {"sha256", sha256}};
  if (changed) json["changed"] = true;
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool same_state(const struct stat& a, const struct stat& b) {
  return a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

Answer digest_of(Context& context, int fd, const std::string& path, const struct stat& before) {
  static thread_local std::array<unsigned char, kPieceBytes> piece;
  Sha256 sha256;
  Counts counts;
  for (;;) {
    if (context.cancelled()) return failed("cancelled while it read " + path);
    const ssize_t got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure("cannot read", path, errno);
    if (got == 0) break;
    sha256.add(piece.data(), static_cast<std::size_t>(got));
    counts.add(piece.data(), static_cast<std::size_t>(got));
    if (counts.bytes % (64 * kPieceBytes) == 0 && before.st_size > 0) {
      const auto whole = static_cast<std::uint64_t>(before.st_size);
      context.progress(static_cast<unsigned>(
          std::min<std::uint64_t>(999, counts.bytes / 1024 * 1000 / (whole / 1024 + 1))));
    }
  }
  const auto hex = sha256.hex();
  if (!hex) return failed("libcrypto could not make a SHA-256 of " + path);
  struct stat after {};
  const bool changed = ::fstat(fd, &after) == 0 && !same_state(before, after);
  return done(json_of(path, counts, *hex, changed), Content::Json);
}

}  // namespace

// O_NONBLOCK: opening a FIFO without a writer would wait for one; a regular file takes no notice.
// "changed": true is added when the file was written to while it was read: the figures are then
// those of the bytes read.
Answer file_digest(Context& context) {
  const std::string path(context.text());
  if (path.empty() || path.find('\0') != std::string::npos) {
    return failed_for_good("file.digest takes a path, without a NUL byte");
  }
  const ipc::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return system_failure("cannot open", path, errno);
  struct stat before {};
  if (::fstat(fd.get(), &before) != 0) return system_failure("cannot examine", path, errno);
  if (!S_ISREG(before.st_mode)) return not_regular(path, before.st_mode);
  return digest_of(context, fd.get(), path, before);
}

}  // namespace warmpool::worker::stock
