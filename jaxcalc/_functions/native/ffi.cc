// What XLA calls: one handler for all maps, which picks the instruction set.

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "call.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace jaxcalc {

void rows_base(const Call&, const Team&);
#ifdef HAVE_V3
void rows_v3(const Call&, const Team&);
#endif
#ifdef HAVE_V4
void rows_v4(const Call&, const Team&);
#endif

namespace {

using Rows = void (*)(const Call&, const Team&);

struct InstructionSet {
  const char* name;
  Rows rows;
};

InstructionSet best() {
#ifdef HAVE_V4
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("f16c"))
    return {"AVX-512", rows_v4};
#endif
#ifdef HAVE_V3
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") &&
      __builtin_cpu_supports("f16c"))
    return {"AVX2", rows_v3};
#endif
  return {"the least of its kind", rows_base};
}

const InstructionSet& chosen() {
  static const InstructionSet set = best();
  return set;
}

// Pieces of work that threads take one after the other. The caller takes part, and waits only for
// what another thread has begun, so that a pool of threads which all wait cannot stand still.
struct Pieces {
  Pieces(int64_t n, void (*piece)(void*, int64_t), void* of) : n(n), piece(piece), of(of) {}

  void take() {
    int64_t did = 0;
    for (int64_t p; (p = next.fetch_add(1)) < n; did++) piece(of, p);
    if (!did) return;
    std::lock_guard<std::mutex> lock(mutex);
    if ((done += did) == n) all_done.notify_all();
  }

  void wait() {
    std::unique_lock<std::mutex> lock(mutex);
    all_done.wait(lock, [this] { return done == n; });
  }

  const int64_t n;
  void (*const piece)(void*, int64_t);
  void* const of;  // of a caller that waits: not touched once all pieces are taken
  std::atomic<int64_t> next{0};
  int64_t done = 0;
  std::mutex mutex;
  std::condition_variable all_done;
};

struct PoolTeam : Team {
  explicit PoolTeam(ffi::ThreadPool& pool) : Team{std::max<int64_t>(1, pool.num_threads()), &spread}, pool(pool) {}

  static void spread(const Team& team, int64_t n, void (*piece)(void*, int64_t), void* of) {
    auto& self = static_cast<const PoolTeam&>(team);
    if (n < 2 || team.size < 2) {
      for (int64_t p = 0; p < n; p++) piece(of, p);
      return;
    }
    auto pieces = std::make_shared<Pieces>(n, piece, of);
    for (int64_t t = 1; t < std::min(team.size, n); t++) self.pool.Schedule([pieces] { pieces->take(); });
    pieces->take();
    pieces->wait();
  }

  ffi::ThreadPool& pool;
};

// --- arguments ---

std::optional<Kind> kind_of(ffi::DataType type) {
  switch (type) {
    case ffi::F32:
      return Kind::FLOAT32;
    case ffi::F64:
      return Kind::FLOAT64;
    case ffi::BF16:
      return Kind::BFLOAT16;
    case ffi::F16:
      return Kind::FLOAT16;
    case ffi::PRED:
      return Kind::BOOLEAN;
    case ffi::S32:
      return Kind::INT32;
    default:
      return std::nullopt;
  }
}

// A result is fresh memory as a rule, and its pages are then the dearer part of a large one: asked
// for as large pages they cost a fifth.
void prepare(const ffi::AnyBuffer& buffer) {
#ifdef __linux__
  constexpr uintptr_t PAGE = 2 << 20;
  auto start = reinterpret_cast<uintptr_t>(buffer.untyped_data());
  auto from = (start + PAGE - 1) / PAGE * PAGE, to = (start + buffer.size_bytes()) / PAGE * PAGE;
  if (from < to) madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
#endif
}

ffi::Error refuse(const std::string& what) { return ffi::Error::InvalidArgument("jaxcalc_rows: " + what); }

// An array, which must have a whole number of the call's first axes.
std::optional<Array> array_of(const ffi::AnyBuffer& buffer, char letter, const Call& call) {
  auto kind = kind_of(buffer.element_type());
  int64_t each = letter == 'r' || letter == 'y' ? call.inner : call.classes * call.inner;
  int64_t count = static_cast<int64_t>(buffer.element_count());
  if (!kind || count % each) return std::nullopt;
  return Array{buffer.untyped_data(), *kind, count / each};
}

// Few attributes, since each costs a small call as much as its rows.
ffi::Error rows(ffi::ThreadPool pool, ffi::RemainingArgs args, ffi::RemainingRets rets, std::string_view map,
                ffi::Span<const int64_t> sizes, std::string_view flags) {
  auto has = [=](const char* flag) { return flags.find(flag) != flags.npos; };
  if (sizes.size() != 3) return refuse("wrong count of sizes for " + std::string(map));
  const int64_t outer = sizes[0];
  Call call{0,  outer, sizes[1], sizes[2], has("plain"), has("high"), has("twice"), has("softmax"), has("extended"),
            {}, {},    {}};
  while (call.map < MAP_COUNT && map != SIGNATURES[call.map].name) call.map++;
  if (call.map == MAP_COUNT) return refuse("no map " + std::string(map));
  const Signature& signature = SIGNATURES[call.map];
  const size_t masked = args.size() - std::strlen(signature.in);  // the first of one more is a mask
  if (masked > (signature.in == std::string_view("x")) || rets.size() != std::strlen(signature.out))
    return refuse("wrong count of arrays for " + std::string(map));
  for (size_t k = 0; k < args.size(); k++) {
    auto buffer = args.get<ffi::AnyBuffer>(k);
    auto array =
        buffer.has_value() ? array_of(*buffer, k < masked ? 'm' : signature.in[k - masked], call) : std::nullopt;
    if (!array || outer % array->outer) return refuse("wrong argument for " + std::string(map));
    (k < masked ? call.mask : call.in[k - masked]) = *array;
  }
  for (size_t k = 0; k < rets.size(); k++) {
    auto buffer = rets.get<ffi::AnyBuffer>(k);
    auto array = buffer.has_value() ? array_of(**buffer, signature.out[k], call) : std::nullopt;
    if (!array || outer != array->outer) return refuse("wrong result for " + std::string(map));
    call.out[k] = *array;
    prepare(**buffer);
  }
  chosen().rows(call, PoolTeam(pool));
  return ffi::Error::Success();
}

}  // namespace
}  // namespace jaxcalc

// Visible beside the handler: the name of the instruction set.
extern "C" __attribute__((visibility("default"))) const char* jaxcalc_instruction_set() {
  return jaxcalc::chosen().name;
}

extern "C" __attribute__((visibility("default"))) XLA_FFI_Error* jaxcalc_rows(XLA_FFI_CallFrame* frame);
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxcalc_rows, jaxcalc::rows,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .RemainingArgs()
                                  .RemainingRets()
                                  .Attr<std::string_view>("map")
                                  .Attr<ffi::Span<const int64_t>>("sizes")
                                  .Attr<std::string_view>("flags"));
