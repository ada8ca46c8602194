// A tile: one row, W classes a step; or W rows side by side (LANES), a class a step.

#pragma once

#include "call.h"
#include "vectors.h"

namespace jaxcalc {
namespace {

constexpr int64_t BLOCK = 64;     // steps that are added up in T, the blocks in double
constexpr int64_t CHUNK = 65536;  // steps that one thread takes of a long row
constexpr int MOST_CHUNKS = 64;

template <class T>
struct Nearest {
  Vec<T> distance, value;
};

// New where a lane is one of the row's classes, else old.
template <class T>
INLINE Vec<T> taken(Ints<T> real, Vec<T> new_, Vec<T> old) {
  return real ? new_ : old;
}

template <class T>
INLINE Nearest<T> taken(Ints<T> real, Nearest<T> new_, Nearest<T> old) {
  return {real ? new_.distance : old.distance, real ? new_.value : old.value};
}

template <class T, bool LANES>
class Tile {
  using V = Vec<T>;
  static constexpr int W = WIDTH<T>;
  struct Sums {
    double of[W];
  };

 public:
  Tile(int64_t classes, const Team* team) : steps((classes + STEP - 1) / STEP), whole(classes / STEP), team(team) {
    for (int l = 0; l < W; l++) real[l] = l < classes % STEP ? -1 : 0;
  }

  // f(i) at each step.
  template <class F>
  INLINE void each(F f) const {
    chunks([=](int64_t from, int64_t to, int) INLINE_LAMBDA {
      for (int64_t i = from; i < to; i++) f(i);
    });
  }

  // Σ f(i), in an order that depends on the number of classes alone.
  template <class F>
  INLINE V sum(F f) const {
    auto plus = [=](V s, int64_t i) INLINE_LAMBDA { return s + f(i); };
    auto join = [](V s, V t) INLINE_LAMBDA { return s + t; };
    if (LANES && steps <= BLOCK) return folded(int64_t{0}, steps, V{}, plus, join);
    Sums parts[MOST_CHUNKS];
    chunks([=, &parts](int64_t from, int64_t to, int chunk) INLINE_LAMBDA {
      Sums part = {};
      for (int64_t a = from; a < to; a += BLOCK) {
        V block = folded(a, a + BLOCK < to ? a + BLOCK : to, V{}, plus, join);
        for (int l = 0; l < W; l++) part.of[l] += block[l];
      }
      parts[chunk] = part;
    });
    for (int64_t c = 1; c < chunk_count(); c++)
      for (int l = 0; l < W; l++) parts[0].of[l] += parts[c].of[l];
    V total;
    if (LANES) {
      for (int l = 0; l < W; l++) total[l] = static_cast<T>(parts[0].of[l]);
    } else {
      for (int n = W / 2; n; n /= 2)
        for (int l = 0; l < n; l++) parts[0].of[l] += parts[0].of[l + n];
      total = all<T>(static_cast<T>(parts[0].of[0]));
    }
    return total;
  }

  // The largest f(i), NaN left out; −inf of nothing.
  template <class F>
  INLINE V largest(F f) const {
    const V least = all<T>(-std::numeric_limits<T>::infinity());
    V parts[MOST_CHUNKS];
    chunks([=, &parts](int64_t from, int64_t to, int chunk) INLINE_LAMBDA {
      parts[chunk] = folded(
          from, to, least, [=](V m, int64_t i) INLINE_LAMBDA { return larger<V>(f(i), m); },
          [](V m, V n) INLINE_LAMBDA { return larger<V>(n, m); });
    });
    for (int64_t c = 1; c < chunk_count(); c++) parts[0] = larger<V>(parts[c], parts[0]);
    if (!LANES)
      for (int l = 1; l < W; l++)
        if (parts[0][l] > parts[0][0]) parts[0][0] = parts[0][l];
    return LANES ? parts[0] : all<T>(parts[0][0]);
  }

  // The f(i) for which |f(i)| is least, one of them; NaN is left out.
  template <class F>
  INLINE V nearest_to_zero(F f) const {
    const Nearest<T> far = {all<T>(std::numeric_limits<T>::infinity()), V{}};
    auto nearer = [](Nearest<T> n, V distance, V value) INLINE_LAMBDA {
      auto take = distance < n.distance;
      return Nearest<T>{take ? distance : n.distance, take ? value : n.value};
    };
    Nearest<T> parts[MOST_CHUNKS];
    chunks([=, &parts](int64_t from, int64_t to, int chunk) INLINE_LAMBDA {
      parts[chunk] = folded(
          from, to, far,
          [=](Nearest<T> n, int64_t i) INLINE_LAMBDA {
            V value = f(i);
            return nearer(n, magnitude<T>(value), value);
          },
          [=](Nearest<T> n, Nearest<T> o) INLINE_LAMBDA { return nearer(n, o.distance, o.value); });
    });
    Nearest<T> n = parts[0];
    for (int64_t c = 1; c < chunk_count(); c++) n = nearer(n, parts[c].distance, parts[c].value);
    if (LANES) return n.value;
    for (int l = 1; l < W; l++)
      if (n.distance[l] < n.distance[0]) {
        n.distance[0] = n.distance[l];
        n.value[0] = n.value[l];
      }
    return all<T>(n.value[0]);
  }

 private:
  static constexpr int STEP = LANES ? 1 : W;  // classes

  const int64_t steps, whole;  // the last step of a row may hold fewer classes
  Ints<T> real;                // … in these lanes; what stands in the others is never seen
  const Team* const team;      // null for a tile of one thread

  int64_t chunk_count() const {
    int64_t count = (steps + CHUNK - 1) / CHUNK;
    return count > MOST_CHUNKS ? MOST_CHUNKS : count ? count : 1;
  }

  // f(from, to, chunk) of each chunk, by the team if there is one.
  template <class F>
  INLINE void chunks(F f) const {
    if (steps <= CHUNK) return f(int64_t{0}, steps, 0);
    in_chunks(f);
  }

  template <class F>
  __attribute__((noinline)) void in_chunks(F f) const {
    struct Work {
      F f;
      int64_t steps, count;
    } work{f, steps, chunk_count()};
    auto piece = [](void* of, int64_t c) {
      auto& w = *static_cast<Work*>(of);
      w.f(w.steps * c / w.count, w.steps * (c + 1) / w.count, static_cast<int>(c));
    };
    if (team) return team->run(*team, work.count, piece, &work);
    for (int64_t c = 0; c < work.count; c++) piece(&work, c);
  }

  // Four at a time, so that none waits for the last.
  template <class A, class Step, class Join>
  INLINE A folded(int64_t from, int64_t to, A start, Step step, Join join) const {
    A a = start, b = start, c = start, d = start;
    int64_t i = from, end = to < whole ? to : whole;
    for (; i + 4 <= end; i += 4) {
      a = step(a, i);
      b = step(b, i + 1);
      c = step(c, i + 2);
      d = step(d, i + 3);
    }
    for (; i < end; i++) a = step(a, i);
    if (i < to) a = taken<T>(real, step(a, i), a);
    return join(join(a, b), join(c, d));
  }
};

}  // namespace
}  // namespace jaxcalc
