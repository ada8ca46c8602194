// The rows of a call, for one instruction set: TARGET, by which this file is compiled.
//
// Nothing here but what is in an anonymous namespace may be shared with code for a lesser processor:
// no templates of the standard library that the linker would merge.

#include <cstdlib>

#include "maps.h"
#include "storage.h"

namespace jaxcalc {
namespace {

constexpr int64_t SHORT = 32;      // rows of so many classes or fewer go side by side
constexpr int64_t GRAIN = 16384;   // entries of a piece of work
constexpr int64_t PIECES = 8;      // a thread, or fewer
constexpr int64_t ENTRIES = 2048;  // a row of what has no rows

template <class T>
T least(T a, T b) {
  return a < b ? a : b;
}

template <class T>
T most(T a, T b) {
  return a < b ? b : a;
}

// --- how arrays stand in memory ---

template <class T>
struct Access {
  int size;
  void (*load_run)(const void*, T*, int64_t);
  void (*store_run)(const T*, void*, int64_t);
  void (*load_columns)(const void*, T*, int64_t, int64_t, int, int);
  void (*store_columns)(const T*, void*, int64_t, int64_t, int, int);
};

template <class Stored, class T>
constexpr Access<T> access_of() {
  return {sizeof(typename Stored::Stored), load_run<Stored, T>, store_run<Stored, T>, load_columns<Stored, T>,
          store_columns<Stored, T>};
}

template <class Stored, class T>
constexpr Access<T> reading_of() {
  return {sizeof(typename Stored::Stored), load_run<Stored, T>, nullptr, load_columns<Stored, T>, nullptr};
}

template <class T>
Access<T> access(Kind kind);

template <>
Access<float> access<float>(Kind kind) {
  switch (kind) {
    case Kind::BFLOAT16:
      return access_of<BFloat16, float>();
    case Kind::FLOAT16:
      return access_of<Float16, float>();
    case Kind::BOOLEAN:
      return reading_of<Boolean<float>, float>();
    default:
      return access_of<Same<float>, float>();
  }
}

template <>
Access<double> access<double>(Kind kind) {
  return kind == Kind::BOOLEAN ? reading_of<Boolean<double>, double>() : access_of<Same<double>, double>();
}

template <class T>
constexpr Kind OWN = sizeof(T) == 4 ? Kind::FLOAT32 : Kind::FLOAT64;

// --- memory of a thread, kept from call to call ---

constexpr size_t KEPT = 16 << 20;

struct Scratch {
  char* data = nullptr;
  size_t size = 0;
  ~Scratch() { std::free(data); }
  void release() {
    if (size <= KEPT) return;
    std::free(data);
    data = nullptr, size = 0;
  }
  char* get(size_t wanted) {
    if (wanted > size) {
      std::free(data);
      size = (wanted + 4095) / 4096 * 4096;
      data = static_cast<char*>(std::aligned_alloc(64, size));
      if (!data) std::abort();
    }
    return data;
  }
};

thread_local Scratch scratch;

// --- a call, tile by tile ---

template <class T, bool LANES>
using Body = void (*)(Job<T, LANES>&);

#define BODY(name, in, out) name<T, LANES>,
template <class T, bool LANES>
constexpr Body<T, LANES> BODIES[] = {MAPS(BODY)};
#undef BODY

template <class T, bool LANES>
class Runner {
  static constexpr int W = WIDTH<T>;

 public:
  Runner(const Call& call, const Team& team)
      : call(call),
        team(team),
        signature(SIGNATURES[call.map]),
        ins(static_cast<int>(std::strlen(signature.in))),
        outs(static_cast<int>(std::strlen(signature.out))) {}

  void run() {
    int64_t tiles = (call.outer * call.inner + group() - 1) / group();
    int64_t grain = most(GRAIN / (call.classes * group()) + 1, tiles / (PIECES * team.size));
    if (!LANES && tiles < team.size && steps() > CHUNK) {  // the team within each row
      for (int64_t t = 0; t < tiles; t++) rows(t, t + 1, &team);
      return;
    }
    struct Work {
      Runner* of;
      int64_t tiles, grain;
    } work{this, tiles, grain};
    auto piece = [](void* of, int64_t p) {
      auto& w = *static_cast<Work*>(of);
      w.of->rows(p * w.grain, least(w.tiles, (p + 1) * w.grain), nullptr);
    };
    team.run(team, (tiles + grain - 1) / grain, piece, &work);
  }

 private:
  const Call& call;
  const Team& team;
  const Signature& signature;
  const int ins, outs;

  int64_t steps() const { return LANES ? call.classes : (call.classes + W - 1) / W; }
  // How many rows are loaded at once: several cache lines in columns, so that few pages are come back to.
  int64_t group() const { return !LANES ? 1 : call.classes <= 4096 ? 64 : 16; }
  // Numbers of one array of a group.
  int64_t extent() const { return steps() * (LANES ? group() : W); }

  // Whether a row may stay where it is: one that ends within a vector if another follows, which when
  // it is written mends its beginning.
  bool in_place(const Array& a, bool followed) const {
    return !LANES && !masked() && a.kind == OWN<T> && (followed || call.classes % W == 0);
  }

  bool masked() const { return call.mask.data; }

  static bool of_classes(char letter) { return letter != 'r' && letter != 'y'; }

  void rows(int64_t first, int64_t last, const Team* within) {
    int64_t slot = extent() * sizeof(T) + 64;  // arrays do not start at the same place of a page
    auto slots = scratch.get((ins + outs + 4) * slot);
    auto at = [=](int k) { return reinterpret_cast<T*>(slots + k * slot); };
    Place<T> row_in[MOST_ARRAYS], row_out[MOST_ARRAYS];
    Job<T, LANES> job{call, {call.classes, within}, {}, {}, {}, {}};
    for (int k = 0; k < 2; k++) job.work[k] = reinterpret_cast<Place<T>*>(at(ins + outs + 1 + k));
    bool has_rows = std::strpbrk(signature.in, "ry");
    T *spare = at(ins + outs), *mask = at(ins + outs + 3);
    for (int64_t tile = first; tile < last; tile++) {
      int64_t q = tile * group();
      int count = static_cast<int>(least(group(), call.outer * call.inner - q));
      auto read_in_place = [=](const Array& a) { return in_place(a, q % a.outer + 1 < a.outer); };
      for (int k = 0; k < ins; k++)
        if (of_classes(signature.in[k]) && !read_in_place(call.in[k])) load_classes(call.in[k], q, count, at(k), spare);
      if (masked()) {
        load_classes(call.mask, q, count, mask, spare);
        hide(mask, at(0), -std::numeric_limits<T>::infinity());
      }
      for (int k = 0; k < ins; k++)
        job.in[k] = place<const Place<T>>(signature.in[k], call.in[k], q, read_in_place(call.in[k]), at(k), row_in + k);
      for (int k = 0; k < outs; k++)
        job.out[k] = place<Place<T>>(signature.out[k], call.out[k], q, in_place(call.out[k], tile + 1 < last),
                                     at(ins + k), row_out + k);
      for (int sub = 0; sub < count; sub += LANES ? W : 1) {
        int lanes = static_cast<int>(least<int64_t>(W, count - sub));
        if (has_rows) numbers_of_rows(job, row_in, q + sub, lanes);
        BODIES<T, LANES>[call.map](job);
        for (int k = 0; k < outs; k++)
          if (signature.out[k] == 'r')
            std::memcpy(static_cast<T*>(call.out[k].data) + q + sub, row_out + k, (LANES ? lanes : 1) * sizeof(T));
          else
            job.out[k] += steps();
        for (int k = 0; k < ins; k++)
          if (of_classes(signature.in[k])) job.in[k] += steps();
      }
      for (int k = 0; k < outs; k++)
        if (signature.out[k] != 'r' && !in_place(call.out[k], tile + 1 < last)) {
          if (masked()) hide(mask, at(ins + k), signature.out[k] == 'l' ? -std::numeric_limits<T>::infinity() : 0);
          store_classes(call.out[k], q, count, at(ins + k), spare);
        }
    }
    scratch.release();
  }

  // Where a map finds an array: in memory itself, in a slot, or as the number of a row.
  template <class P>
  P* place(char letter, const Array& a, int64_t q, bool stays, T* slot, P* number) const {
    if (!of_classes(letter)) return number;
    return stays ? reinterpret_cast<P*>(row(a, q, sizeof(T))) : reinterpret_cast<P*>(slot);
  }

  // --- numbers a row ---

  void numbers_of_rows(Job<T, LANES>& job, Place<T>* row_in, int64_t q, int lanes) const {
    for (int k = 0; k < ins; k++) {
      if (signature.in[k] == 'y') job.label = labels(call.in[k], q, lanes);
      if (signature.in[k] == 'r') row_in[k].v = numbers(call.in[k], q, lanes);
    }
  }

  int64_t index(const Array& a, int64_t q) const { return q / call.inner % a.outer * call.inner + q % call.inner; }

  Vec<T> numbers(const Array& a, int64_t q, int lanes) const {
    auto p = static_cast<const T*>(a.data);
    if (!LANES) return all<T>(p[index(a, q)]);
    Vec<T> v = {};
    for (int l = 0; l < lanes; l++) v[l] = p[index(a, q + l)];
    return v;
  }

  Ints<T> labels(const Array& a, int64_t q, int lanes) const {
    auto p = static_cast<const int32_t*>(a.data);
    if (!LANES) return Ints<T>{} + p[index(a, q)];
    Ints<T> v = {};
    for (int l = 0; l < lanes; l++) v[l] = p[index(a, q + l)];
    return v;
  }

  // --- a number for each class ---

  char* row(const Array& a, int64_t q, int size) const {
    return static_cast<char*>(a.data) + (q / call.inner % a.outer * call.classes * call.inner + q % call.inner) * size;
  }

  void load_classes(const Array& a, int64_t q, int count, T* to, T* spare) const {
    const Access<T> from = access<T>(a.kind);
    int size = from.size;
    if (!LANES) {
      from.load_run(row(a, q, size), to, call.classes);
      for (int64_t i = call.classes; i < extent(); i++) to[i] = 0;
    } else if (call.inner == 1) {
      bool repeated = a.outer < call.outer;
      const T* rows = reinterpret_cast<const T*>(row(a, q, size));
      if (repeated || a.kind != OWN<T>) {
        for (int l = 0; l < count; l += repeated ? 1 : count)
          from.load_run(row(a, q + l, size), spare + l * call.classes, (repeated ? 1 : count) * call.classes);
        rows = spare;
      }
      transposed(count, rows, 1, call.classes, to, W, 1);
      for (int l = count; l % W; l++) clear(to, l);
    } else {
      for_columns(q, count, [=](int l, int lanes) {
        from.load_columns(row(a, q + l, size), to, call.classes, call.inner, l, lanes);
      });
      for (int l = count; l % W; l++) clear(to, l);
    }
  }

  // What a mask leaves out of an array in its slot.
  void hide(const T* mask, T* a, T instead) const {
    for (int64_t i = 0, end = extent(); i < end; i += W) {
      auto m = reinterpret_cast<const Place<T>*>(mask + i);
      auto v = reinterpret_cast<Place<T>*>(a + i);
      v->v = m->v != 0 ? v->v : all<T>(instead);
    }
  }

  void store_classes(const Array& a, int64_t q, int count, const T* from, T* spare) const {
    const Access<T> to = access<T>(a.kind);
    int size = to.size;
    if (!LANES) {
      to.store_run(from, row(a, q, size), call.classes);
    } else if (call.inner == 1) {
      T* rows = a.kind == OWN<T> ? reinterpret_cast<T*>(row(a, q, size)) : spare;
      transposed(count, from, W, 1, rows, 1, call.classes);
      if (rows == spare) to.store_run(spare, row(a, q, size), count * call.classes);
    } else {
      for_columns(q, count, [=](int l, int lanes) {
        to.store_columns(from, row(a, q + l, size), call.classes, call.inner, l, lanes);
      });
    }
  }

  // A lane without a row: whatever stands in it would be computed with.
  void clear(T* to, int l) const {
    for (int64_t c = 0; c < call.classes; c++) to[l / W * W * call.classes + c * W + l % W] = 0;
  }

  // Rows one after the other to tiles, or back: class c of the row l of a tile stands at c·step + l·row.
  void transposed(int count, const T* from, int64_t step, int64_t row, T* to, int64_t to_step, int64_t to_row) const {
    const int64_t K = call.classes;
    for (int first = 0; first < count; first += W, from += W * K, to += W * K) {
      int lanes = least(W, count - first);
      if (lanes < W || K < W) {
        for (int64_t c = 0; c < K; c++)
          for (int l = 0; l < lanes; l++) to[c * to_step + l * to_row] = from[c * step + l * row];
        continue;
      }
      for (int64_t k = 0; k < K; k += W) {
        int64_t c = least(k, K - W);
        Vec<T> block[W];
        for (int i = 0; i < W; i++)
          block[i] = reinterpret_cast<const Place<T>*>(from + c * step + i * (step == 1 ? row : step))->v;
        transpose<T>(block);
        for (int i = 0; i < W; i++)
          reinterpret_cast<Place<T>*>(to + c * to_step + i * (to_step == 1 ? to_row : to_step))->v = block[i];
      }
    }
  }

  // f(first, how many) of the rows that lie side by side in memory
  template <class F>
  INLINE void for_columns(int64_t q, int count, F f) const {
    for (int l = 0; l < count;) {
      int beside = static_cast<int>(least<int64_t>(count - l, call.inner - (q + l) % call.inner));
      f(l, beside);
      l += beside;
    }
  }
};

template <class T>
void run(const Call& call, const Team& team) {
  bool side_by_side = call.inner > 1 || (call.classes <= SHORT && SIGNATURES[call.map].in[0] != 'e');
  if (side_by_side)
    Runner<T, true>(call, team).run();
  else
    Runner<T, false>(call, team).run();
}

// Of a call whose entries stand by themselves, some from `start` on as rows.
Call entries(Call call, int64_t start, int64_t outer, int64_t classes) {
  auto part = [=](Array& a) {
    int size = a.kind == Kind::FLOAT64 ? 8 : a.kind == Kind::FLOAT32 ? 4 : 2;
    a.data = static_cast<char*>(a.data) + start * size;
    a.outer = outer;
  };
  const Signature& signature = SIGNATURES[call.map];
  for (int k = 0; signature.in[k]; k++) part(call.in[k]);
  for (int k = 0; signature.out[k]; k++) part(call.out[k]);
  call.outer = outer, call.classes = classes;
  return call;
}

}  // namespace

void TARGET(const Call& call, const Team& team) {
  bool is_double = false;
  const Signature& signature = SIGNATURES[call.map];
  for (int k = 0; signature.in[k]; k++) is_double |= call.in[k].kind == Kind::FLOAT64;
  auto run_one = is_double ? run<double> : run<float>;
  if (signature.in[0] != 'e') return run_one(call, team);
  int64_t whole = call.classes / ENTRIES, rest = call.classes % ENTRIES;
  if (whole) run_one(entries(call, 0, whole, ENTRIES), team);
  if (rest) run_one(entries(call, whole * ENTRIES, 1, rest), team);
}

}  // namespace jaxcalc
