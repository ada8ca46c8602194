// The maps of a tile, in the symbols of `softmax_maps.py`, `index_cross_entropy.py`,
// `distribution_cross_entropy.py` and `logistic.py`, where the mathematics is told.

#pragma once

#include "tile.h"

namespace jaxcalc {
namespace {

// What a map reads and writes, a vector a step; of a number a row it is one vector.
template <class T, bool LANES>
struct Job {
  using V = Vec<T>;
  const Call& call;
  Tile<T, LANES> tile;
  const Place<T>* in[MOST_ARRAYS];
  Place<T>* out[MOST_ARRAYS];
  Place<T>* work[2];
  Ints<T> label;  // −1 for none that is valid

  // The entry of each label, 0 for one that is not valid.
  INLINE V pick(const Place<T>* a) const {
    V v = {};
    for (int l = 0; l < (LANES ? WIDTH<T> : 1); l++)
      if (label[l] >= 0) v[l] = entry(a, l);
    return LANES ? v : all<T>(v[0]);
  }

  INLINE void put(Place<T>* a, V v) const {
    for (int l = 0; l < (LANES ? WIDTH<T> : 1); l++)
      if (label[l] >= 0) const_cast<T&>(entry(a, l)) = v[l];
  }

 private:
  INLINE const T& entry(const Place<T>* a, int l) const {
    return reinterpret_cast<const T*>(a)[LANES ? int64_t{label[l]} * WIDTH<T> + l : label[l]];
  }
};

#define MAP                      \
  template <class T, bool LANES> \
  void
#define JOB Job<T, LANES>& job
#define EACH(...) job.tile.each([=](int64_t i) INLINE_LAMBDA { __VA_ARGS__; })
#define SUM(...) job.tile.sum([=](int64_t i) INLINE_LAMBDA { return __VA_ARGS__; })
#define NOT_A_NUMBER all<T>(std::numeric_limits<T>::quiet_NaN())

// --- rows ---

template <class T, bool LANES>
Vec<T> shift(JOB, const Place<T>* x) {
  Vec<T> m = job.tile.largest([=](int64_t i) INLINE_LAMBDA { return x[i].v; });
  return is_finite(m) ? m : Vec<T>{};
}

// e = exp(x − m), and its sum
template <class T, bool LANES>
Vec<T> exponentials(JOB, const Place<T>* x, Vec<T> m, Place<T>* e) {
  if (job.call.plain)
    EACH(e[i].v = exponential<T>(x[i].v - m));
  else
    EACH(e[i].v = exponential_of_difference<T>(x[i].v, m));
  return SUM(e[i].v);
}

template <class T>
INLINE Vec<T> normalizer(const Call& call, Vec<T> sum) {
  sum = sum == std::numeric_limits<T>::infinity() ? NOT_A_NUMBER : sum;
  return call.extended ? (sum == 0 ? all<T>(1) : sum) : sum;
}

// s of logits
template <class T, bool LANES>
void softmax_of(JOB, const Place<T>* x, Place<T>* s) {
  Reciprocal<T> sum(normalizer<T>(job.call, exponentials(job, x, shift(job, x), s)));
  EACH(s[i].v = sum.times(s[i].v));
}

template <class T, bool LANES>
const Place<T>* probabilities(JOB) {
  if (job.call.softmax) return job.in[0];
  softmax_of(job, job.in[0], job.work[0]);
  return job.work[0];
}

// C t = t − ⟨s, t⟩: what t has in common is taken off first, as an entry of it
template <class T>
struct Centered {
  Vec<T> mean, rest, nearest, left;
  INLINE Vec<T> operator()(Vec<T> t) const { return (((t - mean) - rest) - nearest) - left; }
};

template <class T, bool LANES>
Centered<T> center(JOB, const Place<T>* s, const Place<T>* t) {
  using V = Vec<T>;
  V mean = V{}, rest = V{}, nearest = V{};
  if (job.call.high) {
    if (job.call.twice) mean = SUM(s[i].v * t[i].v);
    rest = SUM(s[i].v * (t[i].v - mean));
    nearest = job.tile.nearest_to_zero([=](int64_t i) INLINE_LAMBDA { return (t[i].v - mean) - rest; });
  }
  V left = SUM(s[i].v * (((t[i].v - mean) - rest) - nearest));
  return {mean, rest, nearest, left};
}

// Cᵀ g = g − s Σg; for a class with most of the probability minus the sum of the others.
template <class T, bool LANES, class F>
INLINE void center_transposed(JOB, const Place<T>* s, F g, T sign) {
  using V = Vec<T>;
  Place<T>* y = job.out[0];
  V sum = SUM(g(i));
  auto h = [=](int64_t i) INLINE_LAMBDA { return g(i) - s[i].v * sum; };
  V top = job.tile.largest([=](int64_t i) INLINE_LAMBDA { return s[i].v; });
  bool majority = false;
  for (int l = 0; l < WIDTH<T>; l++) majority |= top[l] > T(0.5);
  if (!job.call.high || !majority) return EACH(y[i].v = sign * h(i));
  V others = SUM(h(i) * (s[i].v > T(0.5) ? V{} : all<T>(1)));  // a product, so that no NaN is lost
  EACH(y[i].v = sign * (s[i].v > T(0.5) ? -others : h(i)));
}

// --- values ---

MAP softmax(JOB) { softmax_of(job, job.in[0], job.out[0]); }

MAP log_softmax_and_softmax(JOB) {
  auto x = job.in[0];
  auto y = job.out[0], s = job.out[1];
  Vec<T> m = shift(job, x);
  Vec<T> sum = normalizer<T>(job.call, exponentials(job, x, m, s));
  Reciprocal<T> over(sum);
  Vec<T> log_sum = logarithm<T>(sum);
  EACH(y[i].v = (x[i].v - m) - log_sum; s[i].v = over.times(s[i].v));
}

MAP log_softmax(JOB) {
  auto x = job.in[0];
  auto y = job.out[0];
  Vec<T> m = shift(job, x);
  Vec<T> log_sum = logarithm<T>(normalizer<T>(job.call, SUM(exponential<T>(x[i].v - m))));
  EACH(y[i].v = (x[i].v - m) - log_sum);
}

// m + log Σ, which an infinite x makes NaN, though the row has no NaN: then it is infinite
template <class T, bool LANES>
Vec<T> log_sum_exp(JOB, Vec<T> m, Vec<T> sum) {
  auto x = job.in[0];
  Vec<T> y = m + logarithm<T>(sum);
  auto lost = sum != sum;
  bool any = false;
  for (int l = 0; l < WIDTH<T>; l++) any |= lost[l];
  if (!any) return y;
  Vec<T> nan = SUM(x[i].v == x[i].v ? Vec<T>{} : x[i].v);
  return lost & (nan == 0) ? all<T>(std::numeric_limits<T>::infinity()) : y;
}

MAP logsumexp(JOB) {
  auto x = job.in[0];
  Vec<T> m = shift(job, x);
  job.out[0]->v = log_sum_exp(job, m, SUM(exponential<T>(x[i].v - m)));
}

MAP logsumexp_and_sums(JOB) {  // and m, Σ
  auto x = job.in[0];
  Vec<T> m = shift(job, x), sum = SUM(exponential<T>(x[i].v - m));
  job.out[0]->v = log_sum_exp(job, m, sum);
  job.out[1]->v = m;
  job.out[2]->v = normalizer<T>(job.call, sum);
}

MAP logsumexp_and_softmax(JOB) {
  auto x = job.in[0];
  auto s = job.out[1];
  Vec<T> m = shift(job, x);
  Vec<T> sum = exponentials(job, x, m, s);
  job.out[0]->v = log_sum_exp(job, m, sum);
  Reciprocal<T> over(normalizer<T>(job.call, sum));
  EACH(s[i].v = over.times(s[i].v));
}

// --- products ---

MAP softmax_product(JOB) {  // J t = s ⊙ C t
  auto s = probabilities(job), t = job.in[1];
  auto y = job.out[0];
  auto C = center(job, s, t);
  EACH(y[i].v = s[i].v * C(t[i].v));
}

MAP log_softmax_product(JOB) {  // C t
  auto t = job.in[1];
  auto y = job.out[0];
  auto C = center(job, probabilities(job), t);
  EACH(y[i].v = C(t[i].v));
}

MAP log_softmax_transposed(JOB) {  // Cᵀ g
  auto g = job.in[1];
  center_transposed(job, probabilities(job), [=](int64_t i) INLINE_LAMBDA { return g[i].v; }, T(1));
}

MAP logsumexp_product(JOB) {  // ⟨s, t⟩
  auto s = probabilities(job), t = job.in[1];
  job.out[0]->v = SUM(s[i].v * t[i].v);
}

MAP softmax_curvature(JOB) {  // Cᵀ(ds ⊙ C t), ds = J dr, or dr of a softmax
  auto s = probabilities(job), t = job.in[1], dr = job.in[2];
  auto z = job.work[1];
  auto C = center(job, s, t);
  if (job.call.softmax) {
    EACH(z[i].v = dr[i].v * C(t[i].v));
  } else {
    auto D = center(job, s, dr);
    EACH(z[i].v = s[i].v * D(dr[i].v) * C(t[i].v));
  }
  center_transposed(job, s, [=](int64_t i) INLINE_LAMBDA { return z[i].v; }, T(1));
}

MAP softmax_curvature_transposed(JOB) {  // C t ⊙ C w; of logits J of that
  auto s = probabilities(job), t = job.in[1], w = job.in[2];
  auto y = job.out[0];
  auto C = center(job, s, t), D = center(job, s, w);
  if (job.call.softmax) return EACH(y[i].v = C(t[i].v) * D(w[i].v));
  auto z = job.work[1];
  EACH(z[i].v = C(t[i].v) * D(w[i].v));
  auto B = center(job, s, const_cast<const Place<T>*>(z));
  EACH(y[i].v = s[i].v * B(z[i].v));
}

// --- cross-entropy of class indices ---

MAP index_cross_entropy(JOB) {  // the loss; c, rest and e_y
  using V = Vec<T>;
  auto x = job.in[1];
  auto e = job.work[0];
  V c = shift(job, x);
  exponentials(job, x, c, e);
  V own = job.pick(e), distance = job.pick(x) - c;
  job.put(e, V{});
  V rest = SUM(e[i].v);
  V sum = normalizer<T>(job.call, rest + own);
  V loss = distance > -64 ? log_one_plus<T>(rest / own) : logarithm<T>(sum) - distance;
  job.out[0]->v = (job.label >= 0) & (sum == sum) ? loss : NOT_A_NUMBER;
  job.out[1]->v = c;
  job.out[2]->v = rest;
  job.out[3]->v = own;
}

template <class V, class M>
INLINE V unless_zero(M valid, V g, V nan) {
  return valid | (g == 0) ? g : nan;
}

MAP index_cross_entropy_product(JOB) {  // Σ_{i≠y} s_i (t_i − t_y)
  using V = Vec<T>;
  auto t = job.in[5];
  auto e = job.work[0];
  exponentials(job, job.in[0], job.in[2]->v, e);
  job.put(e, V{});
  V t_y = job.pick(t);
  V change = SUM(e[i].v * (t[i].v - t_y)) / normalizer<T>(job.call, job.in[3]->v + job.in[4]->v);
  job.out[0]->v = unless_zero(job.label >= 0, change, NOT_A_NUMBER);
}

MAP index_cross_entropy_transposed(JOB) {  // s_i g, and −rest/(e_y + rest) g for the label
  using V = Vec<T>;
  auto x = job.in[0];
  auto y = job.out[0];
  V c = job.in[2]->v, rest = job.in[3]->v;
  V g = unless_zero(job.label >= 0, job.in[5]->v, NOT_A_NUMBER) / normalizer<T>(job.call, rest + job.in[4]->v);
  if (job.call.plain) {
    EACH(y[i].v = g * exponential<T>(x[i].v - c));
  } else {
    EACH(y[i].v = g * exponential_of_difference<T>(x[i].v, c));
  }
  job.put(y, -rest * g);
}

// --- cross-entropy of distributions ---

MAP distribution_cross_entropy(JOB) {  // −⟨p, log softmax(x)⟩
  using V = Vec<T>;
  auto p = job.in[0], x = job.in[1];
  V m = shift(job, x);
  V log_sum = logarithm<T>(normalizer<T>(job.call, SUM(exponential<T>(x[i].v - m))));
  job.out[0]->v = -SUM(p[i].v == 0 ? V{} : p[i].v * ((x[i].v - m) - log_sum));
}

MAP distribution_cross_entropy_product(JOB) {  // −⟨p, C t⟩
  auto p = job.in[1], t = job.in[2];
  auto C = center(job, probabilities(job), t);
  job.out[0]->v = -SUM(p[i].v * C(t[i].v));
}

MAP distribution_cross_entropy_transposed(JOB) {  // −Cᵀ(p g)
  auto s = probabilities(job), p = job.in[1];
  Vec<T> g = job.in[2]->v;
  center_transposed(job, s, [=](int64_t i) INLINE_LAMBDA { return p[i].v * g; }, T(-1));
}

// --- the logistic function and its integral, of each entry ---

// e = exp(−|x|), and σ(x), σ(−x) by it
template <class T>
struct Logistic {
  Vec<T> x, e;

  INLINE explicit Logistic(Vec<T> x) : x(x), e(exponential<T>(-magnitude<T>(x))) {}
  INLINE Vec<T> value() const { return (x >= 0 ? all<T>(1) : e) / (1 + e); }
  INLINE Vec<T> complement() const { return (x >= 0 ? e : all<T>(1)) / (1 + e); }
  INLINE Vec<T> integral() const { return larger<Vec<T>>(x, Vec<T>{}) + log_one_plus_part<T>(e); }
  INLINE Vec<T> integral_of_complement() const { return larger<Vec<T>>(-x, Vec<T>{}) + log_one_plus_part<T>(e); }
};

// Of each entry, value, and derivative where there is an array for it.
#define OF_ENTRIES(value, derivative)                                             \
  auto x = job.in[0];                                                             \
  auto y = job.out[0], d = job.out[1];                                            \
  if (d) return EACH(Logistic<T> s(x[i].v); y[i].v = value; d[i].v = derivative); \
  EACH(Logistic<T> s(x[i].v); y[i].v = value)

MAP sigmoid(JOB) { OF_ENTRIES(s.value(), s.value() * s.complement()); }
MAP sigmoid_and_derivative(JOB) { sigmoid(job); }

MAP softplus(JOB) { OF_ENTRIES(s.integral(), s.value()); }
MAP softplus_and_derivative(JOB) { softplus(job); }

MAP log_sigmoid(JOB) { OF_ENTRIES(-s.integral_of_complement(), s.complement()); }
MAP log_sigmoid_and_derivative(JOB) { log_sigmoid(job); }

#undef OF_ENTRIES
#undef MAP
#undef JOB
#undef EACH
#undef SUM
#undef NOT_A_NUMBER

}  // namespace
}  // namespace jaxcalc
