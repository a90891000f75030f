// The few vector operations that the kernels are written in, for the instruction set this file is compiled for.
//
// F holds LANES floats, I as many 32-bit integers. Compiled three times: AVX-512 VNNI, AVX-VNNI, AVX2 (CMakeLists.txt).
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace ossian {

// One number of each of as many rows as fill 64 bits, put together by the scalar units: those that move bytes between lanes are the ones
// that decoding waits for. A vector loaded from numbers just stored would wait for the stores.
template <class Number>
inline int64_t one_of_each_row(const uint8_t* at, int64_t stride) {
    uint64_t all = 0;
#pragma GCC unroll 8
    for (int r = 0; r < static_cast<int>(8 / sizeof(Number)); ++r) {
        Number number;
        std::memcpy(&number, at + r * stride, sizeof(Number));
        uint64_t wide = number;
        asm("" : "+r"(wide));  // or the compiler makes it a vector again, a third as fast
        all |= wide << (8 * sizeof(Number) * r);
    }
    return static_cast<int64_t>(all);
}

#if defined(__AVX512VNNI__) && defined(OSSIAN_512)

constexpr int LANES = 16;
constexpr int TOGETHER = 12;      // tokens multiplied at once: two accumulators each, of 32 registers
constexpr int QUERIES = 4;        // queries that share one reading of keys
constexpr bool SIGN_TRICK = false;

using F = __m512;
using I = __m512i;

inline F load(const float* at) { return _mm512_loadu_ps(at); }
inline void store(float* at, F v) { _mm512_storeu_ps(at, v); }
inline I load(const int32_t* at) { return _mm512_loadu_si512(at); }
inline I load_bytes(const uint8_t* at) { return _mm512_loadu_si512(at); }
inline void store_bytes(uint8_t* at, I v) { _mm512_storeu_si512(at, v); }
inline F set(float v) { return _mm512_set1_ps(v); }
inline I set(int32_t v) { return _mm512_set1_epi32(v); }
inline F add(F a, F b) { return _mm512_add_ps(a, b); }
inline F sub(F a, F b) { return _mm512_sub_ps(a, b); }
inline F mul(F a, F b) { return _mm512_mul_ps(a, b); }
inline F div(F a, F b) { return _mm512_div_ps(a, b); }
inline F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
inline F largest(F a, F b) { return _mm512_max_ps(a, b); }
inline F smallest(F a, F b) { return _mm512_min_ps(a, b); }
inline F absolute(F a) { return _mm512_abs_ps(a); }
inline float sum(F v) { return _mm512_reduce_add_ps(v); }
inline float top(F v) { return _mm512_reduce_max_ps(v); }
inline F to_float(I v) { return _mm512_cvtepi32_ps(v); }
inline I round(F v) { return _mm512_cvtps_epi32(v); }
inline F power_of_two(I exponent) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(exponent, set(127)), 23)); }
inline F load_half(const uint16_t* at) { return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at))); }
inline I byte_of_each_row(const uint8_t* at, int64_t stride) {
    return _mm512_cvtepu8_epi32(_mm_set_epi64x(one_of_each_row<uint8_t>(at + 8 * stride, stride), one_of_each_row<uint8_t>(at, stride)));
}
inline F half_of_each_row(const uint8_t* at, int64_t stride) {
    const auto four = [&](int64_t row) { return one_of_each_row<uint16_t>(at + row * stride, stride); };
    return _mm512_cvtph_ps(_mm256_set_epi64x(four(12), four(8), four(4), four(0)));
}
inline void store_half(uint16_t* at, F v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
inline F load_brain(const uint16_t* at) {
    const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}
inline void store_as_bytes(int8_t* at, I v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm512_cvtepi32_epi8(v)); }
inline int32_t sum(I v) { return _mm512_reduce_add_epi32(v); }

// Four bytes, in every lane.
inline I spread(const int8_t* four) {
    int32_t bits;
    std::memcpy(&bits, four, 4);
    return _mm512_set1_epi32(bits);
}
// Adds to each lane the four products of unsigned and signed bytes in it.
inline I dot(I total, I bytes, I signed_bytes) { return _mm512_dpbusd_epi32(total, bytes, signed_bytes); }

inline I add_integers(I a, I b) { return _mm512_add_epi32(a, b); }
inline I magnitude(I bytes) { return _mm512_abs_epi8(bytes); }
inline I with_sign(I bytes, I) { return bytes; }  // not needed where unsigned bytes do not saturate
inline I both(I a, I b) { return _mm512_and_si512(a, b); }
inline I flip(I a, I b) { return _mm512_xor_si512(a, b); }
inline I high_nibbles(I v) { return both(_mm512_srli_epi16(v, 4), _mm512_set1_epi8(15)); }
inline I low_nibbles(I v) { return both(v, _mm512_set1_epi8(15)); }
inline I look_up(__m128i table, I index) { return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(table), index); }
inline I low_pairs(I a, I b) { return _mm512_unpacklo_epi32(a, b); }
inline I high_pairs(I a, I b) { return _mm512_unpackhi_epi32(a, b); }
inline I low_halves(I a, I b) { return _mm512_unpacklo_epi64(a, b); }
inline I high_halves(I a, I b) { return _mm512_unpackhi_epi64(a, b); }
// 16 bytes from each of four rows that are four rows apart.
inline I quarter_rows(const uint8_t* at, int64_t stride) {
    const auto* row = [](const uint8_t* p) { return reinterpret_cast<const __m128i*>(p); }(at);
    I v = _mm512_castsi128_si512(_mm_loadu_si128(row));
    v = _mm512_inserti32x4(v, _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 4 * stride)), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 8 * stride)), 2);
    return _mm512_inserti32x4(v, _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 12 * stride)), 3);
}

#else

constexpr int LANES = 8;
constexpr int TOGETHER = 5;
constexpr int QUERIES = 2;
#if defined(__AVXVNNI__) || defined(__AVX512VNNI__)
constexpr bool SIGN_TRICK = false;
#else
constexpr bool SIGN_TRICK = true;  // sums of two products of bytes saturate at 16 bits unless one factor is below 129
#endif

using F = __m256;
using I = __m256i;

inline F load(const float* at) { return _mm256_loadu_ps(at); }
inline void store(float* at, F v) { _mm256_storeu_ps(at, v); }
inline I load(const int32_t* at) { return _mm256_loadu_si256(reinterpret_cast<const I*>(at)); }
inline I load_bytes(const uint8_t* at) { return _mm256_loadu_si256(reinterpret_cast<const I*>(at)); }
inline void store_bytes(uint8_t* at, I v) { _mm256_storeu_si256(reinterpret_cast<I*>(at), v); }
inline F set(float v) { return _mm256_set1_ps(v); }
inline I set(int32_t v) { return _mm256_set1_epi32(v); }
inline F add(F a, F b) { return _mm256_add_ps(a, b); }
inline F sub(F a, F b) { return _mm256_sub_ps(a, b); }
inline F mul(F a, F b) { return _mm256_mul_ps(a, b); }
inline F div(F a, F b) { return _mm256_div_ps(a, b); }
inline F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
inline F largest(F a, F b) { return _mm256_max_ps(a, b); }
inline F smallest(F a, F b) { return _mm256_min_ps(a, b); }
inline F absolute(F a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
inline float sum(F v) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}
inline float top(F v) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}
inline F to_float(I v) { return _mm256_cvtepi32_ps(v); }
inline I round(F v) { return _mm256_cvtps_epi32(v); }
inline F power_of_two(I exponent) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(exponent, set(127)), 23)); }
inline F load_half(const uint16_t* at) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))); }
inline I byte_of_each_row(const uint8_t* at, int64_t stride) {
    return _mm256_cvtepu8_epi32(_mm_set_epi64x(0, one_of_each_row<uint8_t>(at, stride)));
}
inline F half_of_each_row(const uint8_t* at, int64_t stride) {
    return _mm256_cvtph_ps(_mm_set_epi64x(one_of_each_row<uint16_t>(at + 4 * stride, stride), one_of_each_row<uint16_t>(at, stride)));
}
inline void store_half(uint16_t* at, F v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
inline F load_brain(const uint16_t* at) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}
inline void store_as_bytes(int8_t* at, I v) {
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(at), _mm_packs_epi16(words, words));
}
inline int32_t sum(I v) {
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
}
inline I spread(const int8_t* four) {
    int32_t bits;
    std::memcpy(&bits, four, 4);
    return _mm256_set1_epi32(bits);
}
inline I dot(I total, I bytes, I signed_bytes) {
#if defined(__AVXVNNI__)
    return _mm256_dpbusd_avx_epi32(total, bytes, signed_bytes);
#elif defined(__AVX512VNNI__)
    return _mm256_dpbusd_epi32(total, bytes, signed_bytes);
#else
    const I pairs = _mm256_maddubs_epi16(bytes, signed_bytes);
    return _mm256_add_epi32(total, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
#endif
}
inline I add_integers(I a, I b) { return _mm256_add_epi32(a, b); }
inline I magnitude(I bytes) { return _mm256_abs_epi8(bytes); }
inline I with_sign(I bytes, I sign) { return _mm256_sign_epi8(bytes, sign); }
inline I both(I a, I b) { return _mm256_and_si256(a, b); }
inline I flip(I a, I b) { return _mm256_xor_si256(a, b); }
inline I high_nibbles(I v) { return both(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(15)); }
inline I low_nibbles(I v) { return both(v, _mm256_set1_epi8(15)); }
inline I look_up(__m128i table, I index) { return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), index); }
inline I low_pairs(I a, I b) { return _mm256_unpacklo_epi32(a, b); }
inline I high_pairs(I a, I b) { return _mm256_unpackhi_epi32(a, b); }
inline I low_halves(I a, I b) { return _mm256_unpacklo_epi64(a, b); }
inline I high_halves(I a, I b) { return _mm256_unpackhi_epi64(a, b); }
// 16 bytes from each of two rows that are four rows apart.
inline I quarter_rows(const uint8_t* at, int64_t stride) {
    const I v = _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
    return _mm256_inserti128_si256(v, _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 4 * stride)), 1);
}

#endif

inline I fill_bytes(uint8_t v) { return set(static_cast<int32_t>(0x01010101u * v)); }

// e to the power of x, within 2 units of the last place; for x below -87 some 1e-38, which no sum of weights notices.
inline F exponential(F x) {
    x = largest(x, set(-87.0f));
    const I whole = round(mul(x, set(1.44269504f)));
    const F n = to_float(whole);
    const F rest = fma(n, set(2.12194440e-4f), fma(n, set(-0.693359375f), x));
    F p = set(1.9875691500e-4f);
    p = fma(p, rest, set(1.3981999507e-3f));
    p = fma(p, rest, set(8.3334519073e-3f));
    p = fma(p, rest, set(4.1665795894e-2f));
    p = fma(p, rest, set(1.6666665459e-1f));
    p = fma(p, rest, set(5.0000001201e-1f));
    p = fma(mul(p, rest), rest, add(rest, set(1.0f)));
    return mul(p, power_of_two(whole));
}

inline float half_to_float(const uint8_t* at) {
    uint16_t bits;
    std::memcpy(&bits, at, 2);
    return _cvtsh_ss(bits);
}

}  // namespace ossian
