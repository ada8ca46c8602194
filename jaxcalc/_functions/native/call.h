// What is handed to the rows of each instruction set.

#pragma once

#include <cstdint>

namespace jaxcalc {

enum class Kind { FLOAT32, FLOAT64, BFLOAT16, FLOAT16, BOOLEAN, INT32 };

// Threads that do n pieces of work, each once, in any order; `run` returns when all are done.
struct Team {
  int64_t size;
  void (*run)(const Team&, int64_t n, void (*piece)(void*, int64_t), void* of);
};

struct Array {
  void* data;
  Kind kind;
  int64_t outer;  // along the first axis; fewer than those of the call are repeated
};

constexpr int MOST_ARRAYS = 6;

struct Call {
  int64_t map;                    // which of `SIGNATURES`
  int64_t outer, classes, inner;  // rows lie along the middle axis
  bool plain;                     // x − max x may be rounded
  bool high;                      // products by the accurate form …
  bool twice;                     // … of a tangent whose mean is taken off twice
  bool softmax;                   // the first array is a softmax, not logits
  bool extended;                  // of logits −inf throughout it is 0
  Array in[MOST_ARRAYS], out[MOST_ARRAYS];
  Array mask;  // of the logits: where it is false they are −∞; without data there is none
};

// What a map's arrays hold: x logits, or a softmax; c other numbers of the classes, 0 where a mask is
// false, or l, which are −∞ there; r a number a row; y a label; e entries that stand by themselves.
struct Signature {
  const char *name, *in, *out;
};

#define MAPS(F)                                        \
  F(softmax, "x", "c")                                 \
  F(log_softmax, "x", "l")                             \
  F(log_softmax_and_softmax, "x", "lc")                \
  F(logsumexp, "x", "r")                               \
  F(logsumexp_and_sums, "x", "rrr")                    \
  F(logsumexp_and_softmax, "x", "rc")                  \
  F(softmax_product, "xc", "c")                        \
  F(log_softmax_product, "xc", "c")                    \
  F(log_softmax_transposed, "xc", "c")                 \
  F(logsumexp_product, "xc", "r")                      \
  F(softmax_curvature, "xcc", "c")                     \
  F(softmax_curvature_transposed, "xcc", "c")          \
  F(index_cross_entropy, "yx", "rrrr")                 \
  F(index_cross_entropy_product, "xyrrrc", "r")        \
  F(index_cross_entropy_transposed, "xyrrrr", "c")     \
  F(distribution_cross_entropy, "cx", "r")             \
  F(distribution_cross_entropy_product, "xcc", "r")    \
  F(distribution_cross_entropy_transposed, "xcr", "c") \
  F(sigmoid, "e", "e")                                 \
  F(softplus, "e", "e")                                \
  F(log_sigmoid, "e", "e")                             \
  F(sigmoid_and_derivative, "e", "ee")                 \
  F(softplus_and_derivative, "e", "ee")                \
  F(log_sigmoid_and_derivative, "e", "ee")

#define SIGNATURE(name, in, out) {#name, in, out},
constexpr Signature SIGNATURES[] = {MAPS(SIGNATURE)};
#undef SIGNATURE
constexpr int64_t MAP_COUNT = sizeof(SIGNATURES) / sizeof(*SIGNATURES);

}  // namespace jaxcalc
