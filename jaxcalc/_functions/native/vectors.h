// Vectors, by the extension that gcc and clang share, as wide as the instruction set has them, and
// the exponential, the logarithm and their kin on them.

#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#define INLINE inline __attribute__((always_inline))
#define INLINE_LAMBDA __attribute__((always_inline))

namespace jaxcalc {
namespace {

#if defined(__AVX512F__)
constexpr int BYTES = 64;
#elif defined(__AVX__)
constexpr int BYTES = 32;
#else
constexpr int BYTES = 16;
#endif

template <class T>
constexpr int WIDTH = BYTES / static_cast<int>(sizeof(T));

template <class T, int N>
struct Vectors {
  typedef T type __attribute__((vector_size(N * sizeof(T))));
};
template <class T, int N>
using Short = typename Vectors<T, N>::type;
template <class T>
using Vec = Short<T, WIDTH<T>>;

// Where a vector stands in memory, at any address.
template <class T>
struct __attribute__((packed, may_alias)) Place {
  Vec<T> v;
};

template <class To, class From>
INLINE To bits(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof to);
  return to;
}

template <class T>
INLINE Vec<T> all(T x) {
  return x - Vec<T>{};
}

// --- the two types to compute in ---

template <class T>
struct Format;

template <>
struct Format<float> {
  using Int = int32_t;
  using Bits = uint32_t;
  static constexpr int MANTISSA = 23, BIAS = 127;
  static constexpr float MAGIC = 12582912.f;  // 1.5 · 2²³: what is added to it is rounded to an integer
  static constexpr float LN2_HIGH = 6.9313812256e-01f, LN2_LOW = 9.0580006145e-06f;
  static constexpr float LEAST = -88;               // below, exp is 0
  static constexpr int POWERS = 7, ODD_POWERS = 9;  // of a series
};

template <>
struct Format<double> {
  using Int = int64_t;
  using Bits = uint64_t;
  static constexpr int MANTISSA = 52, BIAS = 1023;
  static constexpr double MAGIC = 6755399441055744.;
  static constexpr double LN2_HIGH = 6.93147180369123816490e-01, LN2_LOW = 1.90821492927058770002e-10;
  static constexpr double LEAST = -709;
  static constexpr int POWERS = 13, ODD_POWERS = 18;
};

template <class T>
using Ints = Vec<typename Format<T>::Int>;
template <class T>
using Bits = Vec<typename Format<T>::Bits>;

constexpr double LOG2E = 1.4426950408889634, SQRT_HALF = 0.70710678118654752;

// --- choices; a comparison with NaN is false ---

template <class V>
INLINE V larger(V a, V b) {
  return a > b ? a : b;
}

template <class T>
INLINE Vec<T> magnitude(Vec<T> x) {
  return bits<Vec<T>>(bits<Ints<T>>(x) & std::numeric_limits<typename Format<T>::Int>::max());
}

template <class V>
INLINE auto is_finite(V x) {
  return x - x == V{};
}

// --- a block of W × W, across its diagonal ---

template <class T, int... I>
INLINE Vec<T> picked(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
#ifdef __clang__
  return __builtin_shufflevector(a, b, I...);
#else
  return __builtin_shuffle(a, b, Ints<T>{I...});
#endif
}

// Rows and lanes exchange the bit B of their numbers.
template <class T, int B, int... L>
INLINE void exchange(Vec<T>* v, std::integer_sequence<int, L...>) {
  constexpr int W = WIDTH<T>;
  for (int i = 0; i < W; i++) {
    if (i & B) continue;
    Vec<T> a = v[i], b = v[i + B];
    v[i] = picked<T>(a, b, std::integer_sequence<int, (L & B ? W + L - B : L)...>());
    v[i + B] = picked<T>(a, b, std::integer_sequence<int, (L & B ? W + L : L + B)...>());
  }
}

template <class T, int B = 1>
INLINE void transpose(Vec<T>* v) {
  if constexpr (B < WIDTH<T>) {
    exchange<T, B>(v, std::make_integer_sequence<int, WIDTH<T>>());
    transpose<T, 2 * B>(v);
  }
}

// --- exponentials ---

constexpr double over_factorial(int k) { return k < 2 ? 1 : over_factorial(k - 1) / k; }

// ½ + r/3! + r²/4! + …
template <class T, int... K>
INLINE Vec<T> exponential_series(Vec<T> r, std::integer_sequence<int, K...>) {
  constexpr int last = sizeof...(K) + 2;
  Vec<T> sum = all<T>(T(over_factorial(last)));
  ((sum = sum * r + T(over_factorial(last - 1 - K))), ...);
  return sum;
}

// exp d = 2ⁿ exp r, d = n ln 2 + r, where r is corrected; of d = ∞ it is NaN.
template <class T, class Corrected>
INLINE Vec<T> exponential(Vec<T> d, Corrected corrected) {
  using F = Format<T>;
  constexpr typename F::Bits one = typename F::Bits{F::BIAS} << F::MANTISSA;
  d = larger<Vec<T>>(all<T>(F::LEAST), d);
  Vec<T> z = d * T(LOG2E) + F::MAGIC;
  Vec<T> n = z - F::MAGIC;
  Vec<T> scale = bits<Vec<T>>((bits<Bits<T>>(z) << F::MANTISSA) + one);
  Vec<T> r = corrected((d - n * F::LN2_HIGH) - n * F::LN2_LOW);
  Vec<T> rest = exponential_series<T>(r, std::make_integer_sequence<int, F::POWERS - 2>()) * (r * r) + r;
  return scale + scale * rest;
}

template <class T>
INLINE Vec<T> exponential(Vec<T> d) {
  return exponential<T>(d, [](Vec<T> r) INLINE_LAMBDA { return r; });
}

// exp(x − m), where d = x − m is rounded and what is lost of it is carried along (Knuth's TwoSum).
template <class T>
INLINE Vec<T> exponential_of_difference(Vec<T> x, Vec<T> m) {
  Vec<T> d = x - m, b = d - x;
  Vec<T> lost = (x - (d - b)) - (m + b);
  lost = d >= Format<T>::LEAST ? lost : Vec<T>{};  // of −∞ it is NaN
  return exponential<T>(d, [=](Vec<T> r) INLINE_LAMBDA { return r + lost; });
}

// --- logarithms ---

// 2 artanh(u/2) = u(1 + w/3 + w²/5 + …), w = u²/4 ≤ 1/9
template <class T>
INLINE Vec<T> twice_artanh_half(Vec<T> u) {
  constexpr int last = 2 * Format<T>::ODD_POWERS + 1;
  Vec<T> w = u * u / 4, sum = all<T>(T(1) / last);
  for (int k = last - 2; k > 1; k -= 2) sum = sum * w + T(1) / T(k);
  return sum * w * u + u;
}

// log x of 0 and of numbers from 1 on
template <class T>
INLINE Vec<T> logarithm(Vec<T> x) {
  using F = Format<T>;
  const auto half = bits<typename F::Bits>(T(SQRT_HALF));
  Bits<T> i = bits<Bits<T>>(x) - half;
  Ints<T> n = bits<Ints<T>>(i) >> F::MANTISSA;
  Vec<T> f = bits<Vec<T>>((i - (bits<Bits<T>>(n) << F::MANTISSA)) + half);  // x = 2ⁿ f, √½ ≤ f < √2
  Vec<T> k = __builtin_convertvector(n, Vec<T>);
  Vec<T> y = k * F::LN2_HIGH + (k * F::LN2_LOW + twice_artanh_half<T>(2 * (f - 1) / (f + 1)));
  y = x == Vec<T>{} ? all<T>(-std::numeric_limits<T>::infinity()) : y;
  return is_finite(x) ? y : x;
}

// log(1 + q), 0 ≤ q ≤ 1
template <class T>
INLINE Vec<T> log_one_plus_part(Vec<T> q) {
  return twice_artanh_half<T>(q / (1 + q / 2));
}

// log(1 + q), q ≥ 0
template <class T>
INLINE Vec<T> log_one_plus(Vec<T> q) {
  return q <= 1 ? log_one_plus_part<T>(q) : logarithm<T>(1 + q);
}

// e/Σ with the rounding of 1/Σ carried along
template <class T>
struct Reciprocal {
  Vec<T> inverse, rest;

  INLINE explicit Reciprocal(Vec<T> sum) : inverse(1 / sum), rest((1 - sum * inverse) * inverse) {}
  INLINE Vec<T> times(Vec<T> e) const { return e * inverse + e * rest; }
};

}  // namespace
}  // namespace jaxcalc
