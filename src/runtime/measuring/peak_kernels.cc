#include "runtime/measuring/peak_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace axle {
namespace {

constexpr int kChains = 12;  // enough to hide the latency of a multiply-add behind two units

#if defined(__x86_64__)

// Chains begin as values that the compiler knows nothing of: equal ones would be computed once. A function's target reaches neither
// lambdas nor templates that it calls: each loop is written where its target stands.
#define AXLE_PEAK_LOOP(name, isa, Vector, start, statement, operations)    \
  __attribute__((target(isa))) uint64_t name(int64_t rounds) {             \
    Vector sums[kChains];                                                  \
    const Vector a = (start);                                              \
    for (Vector& sum : sums) {                                             \
      sum = a;                                                             \
      asm volatile("" : "+v"(sum));                                        \
    }                                                                      \
    for (int64_t i = 0; i < rounds; ++i) {                                 \
      _Pragma("GCC unroll 12") for (Vector& sum : sums) sum = (statement); \
    }                                                                      \
    for (Vector& sum : sums) asm volatile("" : "+v"(sum));                 \
    return static_cast<uint64_t>(rounds) * kChains * (operations);         \
  }

AXLE_PEAK_LOOP(f32_avx512, "avx512f", __m512, _mm512_set1_ps(0.5F), _mm512_fmadd_ps(sum, a, a), 32)
AXLE_PEAK_LOOP(f64_avx512, "avx512f", __m512d, _mm512_set1_pd(0.5), _mm512_fmadd_pd(sum, a, a), 16)
AXLE_PEAK_LOOP(f32_avx2, "avx2,fma", __m256, _mm256_set1_ps(0.5F), _mm256_fmadd_ps(sum, a, a), 16)
AXLE_PEAK_LOOP(f64_avx2, "avx2,fma", __m256d, _mm256_set1_pd(0.5), _mm256_fmadd_pd(sum, a, a), 8)
AXLE_PEAK_LOOP(f32_sse2, "sse2", __m128, _mm_set1_ps(0.5F), _mm_add_ps(_mm_mul_ps(sum, a), a), 8)
AXLE_PEAK_LOOP(f64_sse2, "sse2", __m128d, _mm_set1_pd(0.5), _mm_add_pd(_mm_mul_pd(sum, a), a), 4)

#undef AXLE_PEAK_LOOP

// bf16 pairs are multiplied and added to f32; bytes in fours to int32.
__attribute__((target("avx512f,avx512bf16"))) uint64_t bf16_avx512(int64_t rounds) {
  __m512 sums[kChains];
  for (__m512& sum : sums) {
    sum = _mm512_set1_ps(0.5F);
    asm volatile("" : "+v"(sum));
  }
  const auto a = __builtin_bit_cast(__m512bh, _mm512_set1_epi16(0x3F00));  // 0.5
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (__m512& sum : sums) sum = _mm512_dpbf16_ps(sum, a, a);
  }
  for (__m512& sum : sums) asm volatile("" : "+v"(sum));
  return static_cast<uint64_t>(rounds) * kChains * 64;
}

__attribute__((target("avx512f,avx512vnni"))) uint64_t int8_avx512(int64_t rounds) {
  __m512i sums[kChains];
  const __m512i a = _mm512_set1_epi8(1);
  for (__m512i& sum : sums) {
    sum = a;
    asm volatile("" : "+v"(sum));
  }
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (__m512i& sum : sums) sum = _mm512_dpbusd_epi32(sum, a, a);
  }
  for (__m512i& sum : sums) asm volatile("" : "+v"(sum));
  return static_cast<uint64_t>(rounds) * kChains * 128;
}

std::vector<PeakKernel> kernels_here() {
  __builtin_cpu_init();
  std::vector<PeakKernel> found;
  if (__builtin_cpu_supports("avx512f")) {
    found = {{"f32", "avx512f", f32_avx512}, {"f64", "avx512f", f64_avx512}};
    if (__builtin_cpu_supports("avx512bf16")) found.push_back({"bf16", "avx512_bf16", bf16_avx512});
    if (__builtin_cpu_supports("avx512vnni")) found.push_back({"int8", "avx512_vnni", int8_avx512});
  } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    found = {{"f32", "avx2", f32_avx2}, {"f64", "avx2", f64_avx2}};
  } else {
    found = {{"f32", "baseline", f32_sse2}, {"f64", "baseline", f64_sse2}};
  }
  return found;
}

#elif defined(__aarch64__)

uint64_t f32_neon(int64_t rounds) {
  float32x4_t sums[kChains];
  const float32x4_t a = vdupq_n_f32(0.5F);
  for (float32x4_t& sum : sums) {
    sum = a;
    asm volatile("" : "+w"(sum));
  }
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (float32x4_t& sum : sums) sum = vfmaq_f32(a, sum, a);
  }
  for (float32x4_t& sum : sums) asm volatile("" : "+w"(sum));
  return static_cast<uint64_t>(rounds) * kChains * 8;
}

uint64_t f64_neon(int64_t rounds) {
  float64x2_t sums[kChains];
  const float64x2_t a = vdupq_n_f64(0.5);
  for (float64x2_t& sum : sums) {
    sum = a;
    asm volatile("" : "+w"(sum));
  }
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (float64x2_t& sum : sums) sum = vfmaq_f64(a, sum, a);
  }
  for (float64x2_t& sum : sums) asm volatile("" : "+w"(sum));
  return static_cast<uint64_t>(rounds) * kChains * 4;
}

std::vector<PeakKernel> kernels_here() { return {{"f32", "neon", f32_neon}, {"f64", "neon", f64_neon}}; }

#else

std::vector<PeakKernel> kernels_here() { return {}; }

#endif

}  // namespace

std::vector<PeakKernel> peak_kernels() { return kernels_here(); }

uint64_t read_through(std::span<const uint64_t> words) noexcept {
  using Lanes = uint64_t __attribute__((vector_size(64), aligned(8)));
  constexpr size_t kStep = 32;
  Lanes sums[4] = {};
  size_t i = 0;
  for (; i + kStep <= words.size(); i += kStep) {
    const auto* lanes = reinterpret_cast<const Lanes*>(words.data() + i);
    for (size_t lane = 0; lane < 4; ++lane) sums[lane] += lanes[lane];
  }
  uint64_t total = 0;
  for (const Lanes& sum : sums) {
    for (size_t lane = 0; lane < 8; ++lane) total += sum[lane];
  }
  for (; i < words.size(); ++i) total += words[i];
  return total;
}

}  // namespace axle
