// The token of an attempt: SipHash-2-4 of the attempt's name under this life's secret, so that the
// core needs no randomness and no worker can guess the token of another attempt.
// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace warmpool {

class SipHash {
 public:
  explicit constexpr SipHash(const std::array<std::uint64_t, 2>& secret)
      : v_{secret[0] ^ 0x736f6d6570736575ULL, secret[1] ^ 0x646f72616e646f6dULL,
           secret[0] ^ 0x6c7967656e657261ULL, secret[1] ^ 0x7465646279746573ULL} {}

  constexpr void word(std::uint64_t w) {
    v_[3] ^= w;
    rounds(2);
    v_[0] ^= w;
  }

  // `bytes`: how many were hashed; all words so far were full ones.
  constexpr std::uint64_t finish(std::uint64_t bytes) {
    word(bytes << 56);
    v_[2] ^= 0xff;
    rounds(4);
    return v_[0] ^ v_[1] ^ v_[2] ^ v_[3];
  }

 private:
  constexpr void rounds(int count) {
    auto& v = v_;
    for (int i = 0; i < count; ++i) {
      v[0] += v[1];
      v[2] += v[3];
      v[1] = std::rotl(v[1], 13) ^ v[0];
      v[3] = std::rotl(v[3], 16) ^ v[2];
      v[0] = std::rotl(v[0], 32);
      v[2] += v[1];
      v[0] += v[3];
      v[1] = std::rotl(v[1], 17) ^ v[2];
      v[3] = std::rotl(v[3], 21) ^ v[0];
      v[2] = std::rotl(v[2], 32);
    }
  }

  std::array<std::uint64_t, 4> v_;
};

constexpr std::uint64_t attempt_token(const std::array<std::uint64_t, 2>& secret,
                                      std::uint64_t task, std::uint16_t round,
                                      std::uint16_t attempt) {
  SipHash hash(secret);
  hash.word(task);
  hash.word(std::uint64_t{round} << 16 | attempt);
  return hash.finish(16);
}

}  // namespace warmpool
