// Numbers as they stand in memory, and as they are computed with.

#pragma once

#include <type_traits>

#include "vectors.h"

#ifdef __F16C__
#include <immintrin.h>
#endif

namespace jaxcalc {
namespace {

// Each kind: how W numbers are widened to T, and rounded back to the nearest, ties to even.
template <class T>
struct Same {
  using Stored = T;
  template <int W>
  static INLINE Short<T, W> widen(Short<T, W> x) {
    return x;
  }
  template <int W>
  static INLINE Short<T, W> round(Short<T, W> x) {
    return x;
  }
};

struct BFloat16 {
  using Stored = uint16_t;
  template <int W>
  static INLINE Short<float, W> widen(Short<uint16_t, W> x) {
    return bits<Short<float, W>>(__builtin_convertvector(x, Short<uint32_t, W>) << 16);
  }
  template <int W>
  static INLINE Short<uint16_t, W> round(Short<float, W> x) {
    auto u = bits<Short<uint32_t, W>>(x);
    auto nearest = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
    auto quiet = (u >> 16) | 0x40;
    return __builtin_convertvector(x == x ? nearest : quiet, Short<uint16_t, W>);
  }
};

struct Float16 {
  using Stored = uint16_t;
#ifdef __F16C__  // gcc 12 would do one number at a time
  template <int W>
  static INLINE Short<float, W> widen(Short<uint16_t, W> x) {
#ifdef __AVX512F__
    return bits<Short<float, W>>(_mm512_maskz_cvtph_ps(0xffff, bits<__m256i>(x)));
#else
    return bits<Short<float, W>>(_mm256_cvtph_ps(bits<__m128i>(x)));
#endif
  }
  template <int W>
  static INLINE Short<uint16_t, W> round(Short<float, W> x) {
    constexpr int nearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
#ifdef __AVX512F__
    return bits<Short<uint16_t, W>>(_mm512_maskz_cvtps_ph(0xffff, bits<__m512>(x), nearest));
#else
    return bits<Short<uint16_t, W>>(_mm256_cvtps_ph(bits<__m256>(x), nearest));
#endif
  }
#else
  template <int W>
  static INLINE Short<float, W> widen(Short<uint16_t, W> x) {
    auto u = __builtin_convertvector(x, Short<uint32_t, W>);
    auto sign = (u & 0x8000) << 16, magnitude = (u & 0x7fff) << 13;
    auto normal = magnitude + (112u << 23);
    // a subnormal number is the fraction of one just above ½ · 2⁻¹³, less that
    auto small = bits<Short<uint32_t, W>>(bits<Short<float, W>>(magnitude + (113u << 23)) - 6.103515625e-05f);
    auto special = magnitude + (224u << 23);
    auto wide = magnitude < (1u << 23) ? small : magnitude < (31u << 23) ? normal : special;
    return bits<Short<float, W>>(wide | sign);
  }
  template <int W>
  static INLINE Short<uint16_t, W> round(Short<float, W> x) {
    auto u = bits<Short<uint32_t, W>>(x);
    auto sign = (u >> 16) & 0x8000;
    u &= 0x7fffffff;
    auto normal = (u - (112u << 23) + 0xfff + ((u >> 13) & 1)) >> 13;
    // beside ½ the spacing is that of the subnormal numbers
    auto small = bits<Short<uint32_t, W>>(bits<Short<float, W>>(u) + 0.5f) - (126u << 23);
    auto half = u < (113u << 23) ? small : u < (143u << 23) - 0x1000 ? normal : u * 0 + 0x7c00;
    half = u > (255u << 23) ? u * 0 + 0x7e00 : half;
    return __builtin_convertvector(half | sign, Short<uint16_t, W>);
  }
#endif
};

template <class T>
struct Boolean {
  using Stored = uint8_t;
  template <int W>
  static INLINE Short<T, W> widen(Short<uint8_t, W> x) {  // not at once: gcc 12 would do one number at a time
    auto wider = __builtin_convertvector(__builtin_convertvector(x, Short<int16_t, W>), Short<int32_t, W>);
    return __builtin_convertvector(wider, Short<T, W>);
  }
};

template <class Kind, class T>
INLINE void load(const typename Kind::Stored* from, T* to) {
  constexpr int W = WIDTH<T>;
  Short<typename Kind::Stored, W> stored;
  std::memcpy(&stored, from, sizeof stored);
  auto wide = Kind::template widen<W>(stored);
  std::memcpy(to, &wide, sizeof wide);
}

template <class Kind, class T>
INLINE void store(const T* from, typename Kind::Stored* to) {
  constexpr int W = WIDTH<T>;
  Vec<T> wide;
  std::memcpy(&wide, from, sizeof wide);
  auto stored = Kind::template round<W>(wide);
  std::memcpy(to, &stored, sizeof stored);
}

// The last few of a run, by way of a whole vector.
template <class Kind, class T>
INLINE void load_some(const typename Kind::Stored* from, T* to, int64_t count) {
  typename Kind::Stored stored[WIDTH<T>] = {};
  T wide[WIDTH<T>];
  std::memcpy(stored, from, count * sizeof *from);
  load<Kind>(stored, wide);
  std::memcpy(to, wide, count * sizeof *to);
}

template <class Kind, class T>
INLINE void store_some(const T* from, typename Kind::Stored* to, int64_t count) {
  T wide[WIDTH<T>] = {};
  typename Kind::Stored stored[WIDTH<T>];
  std::memcpy(wide, from, count * sizeof *from);
  store<Kind>(wide, stored);
  std::memcpy(to, stored, count * sizeof *to);
}

// `count` numbers in a row.
template <class Kind, class T>
void load_run(const void* from, T* to, int64_t count) {
  auto p = static_cast<const typename Kind::Stored*>(from);
  int64_t i = 0;
  for (; i + WIDTH<T> <= count; i += WIDTH<T>) load<Kind>(p + i, to + i);
  if (i < count) load_some<Kind>(p + i, to + i, count - i);
}

template <class Kind, class T>
void store_run(const T* from, void* to, int64_t count) {
  auto p = static_cast<typename Kind::Stored*>(to);
  int64_t i = 0;
  for (; i + WIDTH<T> <= count; i += WIDTH<T>) store<Kind>(from + i, p + i);
  if (i < count) store_some<Kind>(from + i, p + i, count - i);
}

// Columns: `lanes` numbers in a row, again after `stride`, to tiles [classes, W] side by side; from
// the lane `first` of the first tile on. f(number, place in the tiles, how many) of W at once or fewer.
constexpr int AHEAD = 16;  // classes, of which each is on a page of its own

template <class T, class Stored, class F>
INLINE void columns(Stored* p, int64_t classes, int64_t stride, int first, int lanes, F f) {
  constexpr int W = WIDTH<T>, LINE = 64 / sizeof *p;
  const int head = first % W == 0 ? 0 : W - first % W < lanes ? W - first % W : lanes;
  const int64_t tile = first / W * classes * W, whole = (first + W - 1) / W * classes * W;
  for (int64_t k = 0; k < classes; k++, p += stride) {
    for (int l = 0; l < lanes; l += LINE) __builtin_prefetch(p + AHEAD * stride + l, std::is_const_v<Stored> ? 0 : 1);
    if (head) f(p, tile + k * W + first % W, head);
    int64_t at = whole + k * W;
    int l = head;
    for (; l + W <= lanes; l += W, at += classes * W) f(p + l, at, W);
    if (l < lanes) f(p + l, at, lanes - l);
  }
}

template <class Kind, class T>
void load_columns(const void* from, T* to, int64_t classes, int64_t stride, int first, int lanes) {
  auto p = static_cast<const typename Kind::Stored*>(from);
  columns<T>(p, classes, stride, first, lanes, [=](auto p, int64_t at, int count) INLINE_LAMBDA {
    count == WIDTH<T> ? load<Kind>(p, to + at) : load_some<Kind>(p, to + at, count);
  });
}

template <class Kind, class T>
void store_columns(const T* from, void* to, int64_t classes, int64_t stride, int first, int lanes) {
  auto p = static_cast<typename Kind::Stored*>(to);
  columns<T>(p, classes, stride, first, lanes, [=](auto p, int64_t at, int count) INLINE_LAMBDA {
    count == WIDTH<T> ? store<Kind>(from + at, p) : store_some<Kind>(from + at, p, count);
  });
}

}  // namespace
}  // namespace jaxcalc
