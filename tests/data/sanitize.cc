// Every map of the native kernels, over many sizes, for the sanitizers to watch: see .ci/sanitize.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "call.h"

namespace jaxcalc {

void rows_tested(const Call&, const Team&);

namespace {

// Two threads, which take turns.
void spread(const Team&, int64_t n, void (*piece)(void*, int64_t), void* of) {
  auto some = [=](int64_t first) {
    for (int64_t p = first; p < n; p += 2) piece(of, p);
  };
  std::thread other(some, 1);
  some(0);
  other.join();
}

int size_of(Kind kind) {
  switch (kind) {
    case Kind::FLOAT64:
      return 8;
    case Kind::FLOAT32:
    case Kind::INT32:
      return 4;
    case Kind::BOOLEAN:
      return 1;
    default:
      return 2;
  }
}

// Numbers of any bits: subnormal, infinite, NaN of any payload.
struct Memory {
  Memory(int64_t count, Kind kind, int64_t classes, std::mt19937& random) {
    int64_t bytes = count * size_of(kind);
    data = std::make_unique<char[]>(bytes + size_of(kind));  // no more, so that what lies beyond is seen
    start = data.get() + size_of(kind);                      // where no vector is aligned
    for (int64_t i = 0; i < bytes; i++) start[i] = static_cast<char>(random());
    for (int64_t i = 0; i < count && kind == Kind::BOOLEAN; i++) start[i] &= 1;
    for (int64_t i = 0; i < count && kind == Kind::INT32; i++) {
      int32_t label = static_cast<int32_t>(random() % (classes + 1)) - 1;
      std::memcpy(start + 4 * i, &label, 4);
    }
  }
  std::unique_ptr<char[]> data;
  char* start;
};

void run(int64_t map, Kind kind, int64_t outer, int64_t classes, int64_t inner, std::mt19937& random) {
  Call call{map,
            outer,
            classes,
            inner,
            random() % 2 == 0,
            random() % 2 == 0,
            random() % 2 == 0,
            random() % 2 == 0,
            random() % 2 == 0,
            {},
            {},
            {}};
  std::vector<Memory> memory;
  auto array = [&](char letter, bool repeated) {
    bool wide = kind == Kind::FLOAT64, number = letter == 'r', label = letter == 'y';
    Kind own = number ? (wide ? kind : Kind::FLOAT32) : label ? Kind::INT32 : letter == 'm' ? Kind::BOOLEAN : kind;
    int64_t rows = repeated ? 1 : outer;
    memory.emplace_back(rows * inner * (number || label ? 1 : classes), own, classes, random);
    return Array{memory.back().start, own, rows};
  };
  const Signature& signature = SIGNATURES[map];
  for (int k = 0; signature.in[k]; k++)
    call.in[k] = array(signature.in[k], random() % 4 == 0 && signature.in[0] != 'e');
  if (signature.in == std::string("x") && random() % 4 == 0) call.mask = array('m', random() % 4 == 0);
  for (int k = 0; signature.out[k]; k++) call.out[k] = array(signature.out[k], false);
  rows_tested(call, Team{2, spread});
}

}  // namespace
}  // namespace jaxcalc

int main(int, char** arguments) {
  using namespace jaxcalc;
  std::mt19937 random(0);
  int64_t most = std::atoll(arguments[1]), calls = 0;
  for (Kind kind : {Kind::FLOAT32, Kind::FLOAT64, Kind::BFLOAT16, Kind::FLOAT16}) {
    for (int64_t map = 0; map < MAP_COUNT; map++) {
      bool entries = SIGNATURES[map].in[0] == 'e';
      for (int64_t classes = 1; classes <= most; classes += classes < 200 ? 1 : 1 + random() % 64, calls++)
        run(map, kind, entries ? 1 : 1 + random() % 3, classes, 1, random);
      for (int64_t classes : {1, 2, 3, 10, 31, 32, 33, 70})
        for (int64_t inner : {1, 2, 7, 8, 9, 63, 64, 65, 200})
          if (!entries) run(map, kind, 1 + random() % 70, classes, inner, random), calls++;
    }
    for (int64_t map : {0, 3, 6}) run(map, kind, 1, 70000 * 8 + 3, 1, random), calls++;  // by both threads
  }
  std::printf("%lld calls, nothing found\n", static_cast<long long>(calls));
}
