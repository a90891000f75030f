// Products of a few rows of a matrix with many rows of activations, whatever the matrix is made of.
//
// LANES rows stand side by side in the lanes of a register, four columns in each lane, so that a dot product of
// bytes needs no sum across lanes. The files keep rows one after another; a panel turns LANES of them into that order once for
// all the tokens that meet them.
#pragma once

#include "quantize.h"

namespace ossian {

enum class Kind : int { F32 = 0, F16 = 1, Q8_0 = 8, BF16 = 30, MXFP4 = 39 };

inline bool is_quantized(Kind kind) { return kind == Kind::Q8_0 || kind == Kind::MXFP4; }

inline int64_t row_bytes(Kind kind, int64_t columns) {
    switch (kind) {
        case Kind::F32: return columns * 4;
        case Kind::F16:
        case Kind::BF16: return columns * 2;
        case Kind::Q8_0: return columns / BLOCK * 34;
        case Kind::MXFP4: return columns / BLOCK * 17;
    }
    return 0;
}

// A matrix, or several of one size one after another (experts), as it lies in the file.
struct Matrix {
    const uint8_t* data;
    Kind kind;
    int64_t experts, rows, columns;

    const uint8_t* row(int64_t expert, int64_t row) const { return data + (expert * rows + row) * row_bytes(kind, columns); }
};

// What the bytes of a weight are raised by, so that they are unsigned: 12 of MXFP4's doubled values, 128 of Q8_0's.
inline int raised(Kind kind) { return kind == Kind::MXFP4 ? 12 : SIGN_TRICK ? 0 : 128; }

constexpr int STEPS = BLOCK / 4;  // registers for one block of a panel: four columns each

// One block of LANES rows: STEPS registers of bytes and the scale of each row.
struct Tile {
    I bytes[STEPS];
    F scale;
};

// Four vectors of dwords, each from a row's 16 bytes, so that vector j holds dword j of every row.
inline void turn(I (&v)[4]) {
    const I a = low_pairs(v[0], v[1]), b = high_pairs(v[0], v[1]);
    const I c = low_pairs(v[2], v[3]), d = high_pairs(v[2], v[3]);
    v[0] = low_halves(a, c);
    v[1] = high_halves(a, c);
    v[2] = low_halves(b, d);
    v[3] = high_halves(b, d);
}

inline void read_16_bytes_of_each_row(const uint8_t* at, int64_t stride, I (&v)[4]) {
    for (int i = 0; i < 4; ++i) v[i] = quarter_rows(at + i * stride, stride);
    turn(v);
}

struct Mxfp4 {
    static constexpr int64_t BYTES = 17;

    // A nibble's doubled value, raised by 12.
    static Tile read(const uint8_t* block, int64_t stride) {
        const __m128i values = _mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0);
        Tile tile;
        I v[4];
        read_16_bytes_of_each_row(block + 1, stride, v);
        for (int i = 0; i < 4; ++i) {
            tile.bytes[i] = look_up(values, low_nibbles(v[i]));
            tile.bytes[i + 4] = look_up(values, high_nibbles(v[i]));
        }
        // The values are doubled, so the scale 2^(e-127) is halved.
        tile.scale = power_of_two(add_integers(byte_of_each_row(block, stride), set(-128)));
        return tile;
    }
};

struct Q8 {
    static constexpr int64_t BYTES = 34;

    static Tile read(const uint8_t* block, int64_t stride) {
        Tile tile;
        I v[4];
        for (int half = 0; half < 2; ++half) {
            read_16_bytes_of_each_row(block + 2 + 16 * half, stride, v);
            for (int i = 0; i < 4; ++i) tile.bytes[4 * half + i] = SIGN_TRICK ? v[i] : flip(v[i], fill_bytes(128));
        }
        tile.scale = half_of_each_row(block, stride);
        return tile;
    }
};

// A tile that was read before.
struct Kept {
    static constexpr int64_t BYTES = (STEPS + 1) * LANES * 4;

    static Tile read(const uint8_t* block, int64_t) {
        Tile tile;
        for (int i = 0; i < STEPS; ++i) tile.bytes[i] = load_bytes(block + i * LANES * 4);
        tile.scale = load(reinterpret_cast<const float*>(block + STEPS * LANES * 4));
        return tile;
    }

    static void write(uint8_t* block, const Tile& tile) {
        for (int i = 0; i < STEPS; ++i) store_bytes(block + i * LANES * 4, tile.bytes[i]);
        store(reinterpret_cast<float*>(block + STEPS * LANES * 4), tile.scale);
    }
};

// Adds the products of four columns; where bytes are signed on both sides, the sign moves from weight to activation.
template <bool SIGNED>
inline I add_products(I total, I bytes, I activations) {
    if constexpr (SIGNED) return dot(total, magnitude(bytes), with_sign(activations, bytes));
    return dot(total, bytes, activations);
}

// Asks memory for bytes that are read soon; no address is wrong.
inline void ask_for(const uint8_t* bytes, int64_t count) {
    for (int64_t i = 0; i < count; i += 64) _mm_prefetch(reinterpret_cast<const char*>(bytes + i), _MM_HINT_T1);
}

// LANES rows with T tokens: sums[t] of each row. Meanwhile asks for as many bytes of `next`: rows that are read side by side
// are nothing a processor foresees (one token took 1.5 to 2 times as long without).
template <class Source, bool SIGNED, int T>
inline void multiply_tiles(const uint8_t* weights, int64_t stride, const uint8_t* next, const Bytes& in, const int64_t* rows, F (&sums)[T]) {
    const int64_t blocks = in.columns / BLOCK;
    const int8_t* values[T];
    const float* scales[T];
    const int32_t* starts[T];
    for (int t = 0; t < T; ++t) {
        values[t] = &in.values[rows[t] * in.columns];
        scales[t] = &in.scales[rows[t] * blocks];
        starts[t] = &in.starts[rows[t] * blocks];
        sums[t] = set(0.0f);
    }
    for (int64_t b = 0; b < blocks; ++b, weights += Source::BYTES) {
        if (next) ask_for(next + b * LANES * Source::BYTES, LANES * Source::BYTES);
        const Tile tile = Source::read(weights, stride);
        I whole[T];
#pragma GCC unroll 16
        for (int t = 0; t < T; ++t) whole[t] = SIGNED ? set(0) : set(starts[t][b]);
#pragma GCC unroll 8
        for (int i = 0; i < STEPS; ++i)
#pragma GCC unroll 16
            for (int t = 0; t < T; ++t)
                whole[t] = add_products<SIGNED>(whole[t], tile.bytes[i], spread(values[t] + b * BLOCK + 4 * i));
#pragma GCC unroll 16
        for (int t = 0; t < T; ++t) sums[t] = fma(to_float(whole[t]), mul(tile.scale, set(scales[t][b])), sums[t]);
    }
}

// Calls give(t, sums) for each of `count` tokens, named by their rows in `in`.
template <class Source, bool SIGNED, class Give, int T = TOGETHER>
inline void multiply_few(const uint8_t* weights, int64_t stride, const uint8_t* next, const Bytes& in, const int64_t* rows, int count, int64_t first, const Give& give) {
    if (count < T) {
        if constexpr (T > 1) multiply_few<Source, SIGNED, Give, T - 1>(weights, stride, next, in, rows, count, first, give);
        return;
    }
    F sums[T];
    multiply_tiles<Source, SIGNED, T>(weights, stride, next, in, rows, sums);
    for (int t = 0; t < T; ++t) give(first + t, sums[t]);
}

template <class Source, bool SIGNED, class Give>
void multiply_many(const uint8_t* weights, int64_t stride, const uint8_t* next, const Bytes& in, const int64_t* rows, int64_t count, std::vector<uint8_t>& panel, const Give& give) {
    if (count <= TOGETHER) return multiply_few<Source, SIGNED>(weights, stride, next, in, rows, static_cast<int>(count), 0, give);
    const int64_t blocks = in.columns / BLOCK;
    panel.resize(blocks * Kept::BYTES);
    for (int64_t b = 0; b < blocks; ++b) Kept::write(&panel[b * Kept::BYTES], Source::read(weights + b * Source::BYTES, stride));
    for (int64_t t = 0; t < count; t += TOGETHER) {
        const int few = static_cast<int>(std::min<int64_t>(TOGETHER, count - t));
        multiply_few<Kept, SIGNED>(panel.data(), 0, nullptr, in, rows + t, few, t, give);
    }
}

// LANES rows of a matrix, from `row` on, with `count` tokens; calls give(t, sums). `next`: what this thread multiplies with after them.
template <class Give>
void multiply(const Matrix& matrix, int64_t expert, int64_t row, const uint8_t* next, const Bytes& in, const int64_t* rows, int64_t count, std::vector<uint8_t>& panel, const Give& give) {
    const uint8_t* weights = matrix.row(expert, row);
    const int64_t stride = row_bytes(matrix.kind, matrix.columns);
    if (matrix.kind == Kind::MXFP4) return multiply_many<Mxfp4, false>(weights, stride, next, in, rows, count, panel, give);
    multiply_many<Q8, SIGN_TRICK>(weights, stride, next, in, rows, count, panel, give);
}

}  // namespace ossian
