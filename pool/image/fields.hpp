// What a value consists of, found by the compiler, so that a field cannot be forgotten: aggregates
// are counted and taken apart; a class with private members takes itself apart in `fields(self)`,
// where a structured binding names every member or does not compile.
#pragma once

#include <cstddef>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace warmpool::image {

// Stands for a value of any type, in what is never evaluated.
struct Anything {
  template <class T>
  operator T() const;
};

// How many fields an aggregate has. An optional one cannot be made of Anything: it has too many
// ways.
template <class T, class... Given>
consteval std::size_t count_fields() {
  if constexpr (std::is_empty_v<T>) {
    return 0;
  } else if constexpr (requires { T{std::declval<Given>()..., std::declval<Anything>()}; }) {
    return count_fields<T, Given..., Anything>();
  } else if constexpr (requires { T{std::declval<Given>()..., std::nullopt}; }) {
    return count_fields<T, Given..., std::nullopt_t>();
  } else {
    return sizeof...(Given);
  }
}

template <std::size_t N>
using Count = std::integral_constant<std::size_t, N>;

// clang-format off
auto tie_fields(auto&, Count<0>) { return std::tie(); }
auto tie_fields(auto& v, Count<1>) { auto& [a] = v; return std::tie(a); }
auto tie_fields(auto& v, Count<2>) { auto& [a, b] = v; return std::tie(a, b); }
auto tie_fields(auto& v, Count<3>) { auto& [a, b, c] = v; return std::tie(a, b, c); }
auto tie_fields(auto& v, Count<4>) { auto& [a, b, c, d] = v; return std::tie(a, b, c, d); }
auto tie_fields(auto& v, Count<5>) { auto& [a, b, c, d, e] = v; return std::tie(a, b, c, d, e); }
auto tie_fields(auto& v, Count<6>) {
  auto& [a, b, c, d, e, f] = v; return std::tie(a, b, c, d, e, f);
}
auto tie_fields(auto& v, Count<7>) {
  auto& [a, b, c, d, e, f, g] = v; return std::tie(a, b, c, d, e, f, g);
}
auto tie_fields(auto& v, Count<8>) {
  auto& [a, b, c, d, e, f, g, h] = v; return std::tie(a, b, c, d, e, f, g, h);
}
auto tie_fields(auto& v, Count<9>) {
  auto& [a, b, c, d, e, f, g, h, i] = v; return std::tie(a, b, c, d, e, f, g, h, i);
}
auto tie_fields(auto& v, Count<10>) {
  auto& [a, b, c, d, e, f, g, h, i, j] = v; return std::tie(a, b, c, d, e, f, g, h, i, j);
}
auto tie_fields(auto& v, Count<11>) {
  auto& [a, b, c, d, e, f, g, h, i, j, k] = v; return std::tie(a, b, c, d, e, f, g, h, i, j, k);
}
auto tie_fields(auto& v, Count<12>) {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l);
}
auto tie_fields(auto& v, Count<13>) {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m);
}
auto tie_fields(auto& v, Count<14>) {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n);
}
auto tie_fields(auto& v, Count<15>) {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o);
}
auto tie_fields(auto& v, Count<16>) {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
}
auto tie_fields(auto& v, Count<17>) {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q);
}
auto tie_fields(auto& v, Count<18>) {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r);
}
auto tie_fields(auto& v, Count<19>) {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s);
}
auto tie_fields(auto& v, Count<20>) {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t);
}
auto tie_fields(auto& v, Count<21>) {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u);
}
auto tie_fields(auto& v, Count<22>) {
  auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, w] = v;
  return std::tie(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, w);
}
// clang-format on

template <class T>
inline constexpr bool kIsPair = false;
template <class A, class B>
inline constexpr bool kIsPair<std::pair<A, B>> = true;

// References to all fields. A larger aggregate has a `fields` of its own, as classes do.
template <class T>
auto fields_of(T& value) {
  using Plain = std::remove_const_t<T>;
  if constexpr (requires { Plain::fields(value); }) {
    return Plain::fields(value);
  } else if constexpr (kIsPair<Plain>) {
    return std::tie(value.first, value.second);
  } else {
    static_assert(std::is_aggregate_v<Plain>, "give it `static auto fields(auto& self)`");
    return tie_fields(value, Count<count_fields<Plain>()>{});
  }
}

}  // namespace warmpool::image
