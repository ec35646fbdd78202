// A number for what a type is made of, down to the last field, its kinds and widths: bytes that
// were written by a program whose types have another shape cannot be read.
#pragma once

#include "pool/image/walk.hpp"

namespace warmpool::image {

template <class T>
void walk_shape(DigestSink& sink);

template <class Tuple>
struct ShapeOf;
template <class... T>
struct ShapeOf<std::tuple<T...>> {
  static void walk(DigestSink& sink) {
    sink.number(sizeof...(T));
    (walk_shape<std::remove_cvref_t<T>>(sink), ...);
  }
};
template <class... T>
struct ShapeOf<std::variant<T...>> : ShapeOf<std::tuple<T...>> {};

template <Optioned T>
void walk_rows(DigestSink& sink) {
  for (const auto& row : rows_of(T{})) {
    sink.text(row.name);
    sink.number(row.field.index());
  }
}

template <class T>
void walk_shape(DigestSink& sink) {
  if constexpr (std::is_enum_v<T>) {
    sink.text("word");
    if constexpr (requires { Words<T>::rows; }) sink.number(Words<T>::rows.size());
  } else if constexpr (std::integral<T>) {
    sink.text(std::signed_integral<T> ? "signed" : "number");
    sink.number(sizeof(T));
  } else if constexpr (Text<T>) {
    sink.text("text");
  } else if constexpr (Optioned<T>) {
    walk_rows<T>(sink);
  } else if constexpr (List<T> || Array<T> || Optional<T>) {
    sink.text("many");
    if constexpr (Array<T>) sink.number(std::tuple_size_v<T>);
    walk_shape<typename T::value_type>(sink);
  } else if constexpr (Map<T>) {
    sink.text("map");
    walk_shape<typename T::key_type>(sink);
    walk_shape<typename T::mapped_type>(sink);
  } else if constexpr (Lookup<T>) {
    sink.text("lookup");
    walk_shape<typename T::Mapped>(sink);
  } else if constexpr (Variant<T>) {
    sink.text("one of");
    ShapeOf<T>::walk(sink);
  } else if constexpr (Packed<T>) {
    sink.text("bits");
  } else if constexpr (Box<T>) {
    walk_shape<typename T::element_type>(sink);
  } else {
    if constexpr (Slab<T>) walk_shape<std::remove_cvref_t<decltype(std::declval<T&>()[0U])>>(sink);
    ShapeOf<decltype(fields_of(std::declval<T&>()))>::walk(sink);
  }
}

template <class... T>
std::uint32_t shape_of() {
  DigestSink sink;
  (walk_shape<T>(sink), ...);
  return sink.digest();
}

}  // namespace warmpool::image
