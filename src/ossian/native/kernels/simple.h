// The small steps between the products: embedding, norm, rotation. And products with matrices of floats.
#pragma once

#include <cmath>

#include "multiply.h"
#include "pool.h"

namespace ossian {

// A row of a matrix as floats.
inline void read_row(const Matrix& matrix, int64_t row, float* into) {
    const uint8_t* from = matrix.row(0, row);
    switch (matrix.kind) {
        case Kind::F32: std::memcpy(into, from, matrix.columns * 4); return;
        case Kind::F16:
            for (int64_t i = 0; i < matrix.columns; ++i) into[i] = half_to_float(from + 2 * i);
            return;
        case Kind::BF16:
            for (int64_t i = 0; i < matrix.columns; ++i) {
                uint16_t high;
                std::memcpy(&high, from + 2 * i, 2);
                const uint32_t bits = static_cast<uint32_t>(high) << 16;
                std::memcpy(into + i, &bits, 4);
            }
            return;
        case Kind::Q8_0:
            for (int64_t b = 0; b < matrix.columns / BLOCK; ++b, from += 34) {
                const float scale = half_to_float(from);
                for (int64_t i = 0; i < BLOCK; ++i) into[b * BLOCK + i] = scale * static_cast<int8_t>(from[2 + i]);
            }
            return;
        case Kind::MXFP4:
            static constexpr float VALUES[16] = {0, .5, 1, 1.5, 2, 3, 4, 6, -0.0f, -.5, -1, -1.5, -2, -3, -4, -6};
            for (int64_t b = 0; b < matrix.columns / BLOCK; ++b, from += 17) {
                const float scale = std::ldexp(1.0f, from[0] - 127);
                for (int64_t i = 0; i < BLOCK / 2; ++i) {
                    into[b * BLOCK + i] = scale * VALUES[from[1 + i] & 15];
                    into[b * BLOCK + i + 16] = scale * VALUES[from[1 + i] >> 4];
                }
            }
            return;
    }
}

inline float product(const float* a, const float* b, int64_t count) {
    F total[4] = {set(0.0f), set(0.0f), set(0.0f), set(0.0f)};
    int64_t i = 0;
    for (; i + 4 * LANES <= count; i += 4 * LANES)
        for (int v = 0; v < 4; ++v) total[v] = fma(load(a + i + v * LANES), load(b + i + v * LANES), total[v]);
    float rest = 0;
    for (; i < count; ++i) rest += a[i] * b[i];
    return sum(add(add(total[0], total[1]), add(total[2], total[3]))) + rest;
}

// h = x / sqrt(mean(x^2) + epsilon) * weight, in double where it is summed.
inline void norm_row(const float* x, const float* weight, int64_t width, float epsilon, float* into) {
    double squares = 0;
    for (int64_t i = 0; i < width; ++i) squares += static_cast<double>(x[i]) * x[i];
    const float factor = static_cast<float>(1.0 / std::sqrt(squares / width + epsilon));
    for (int64_t i = 0; i < width; ++i) into[i] = x[i] * factor * weight[i];
}

// Turns each pair (i, i + size/2) of every head by its position's angle.
inline void rotate_row(float* x, int64_t heads, int64_t size, const float* cosine, const float* sine) {
    const int64_t half = size / 2;
    for (int64_t h = 0; h < heads; ++h, x += size)
        for (int64_t i = 0; i < half; ++i) {
            const float a = x[i], b = x[i + half];
            x[i] = a * cosine[i] - b * sine[i];
            x[i + half] = b * cosine[i] + a * sine[i];
        }
}

// out = in · matrixᵀ + bias, or that added to what `out` holds. `in` is [rows, columns], `out` [rows, matrix rows].
inline void linear(Pool& pool, const float* in, int64_t rows, const Matrix& matrix, const float* bias, float* out, bool adds) {
    const auto put = [&](int64_t t, int64_t row, float value) {
        float& at = out[t * matrix.rows + row];
        at = value + (bias ? bias[row] : 0.0f) + (adds ? at : 0.0f);
    };
    if (!is_quantized(matrix.kind)) {
        pool.run(matrix.rows, [&](int64_t row) {
            thread_local std::vector<float> weights;
            weights.resize(matrix.columns);
            read_row(matrix, row, weights.data());
            for (int64_t t = 0; t < rows; ++t) put(t, row, product(weights.data(), in + t * matrix.columns, matrix.columns));
        });
        return;
    }
    static thread_local Bytes bytes;
    static thread_local std::vector<int64_t> every;
    Bytes& quantized = bytes;
    quantized.resize(rows, matrix.columns);
    every.resize(rows);
    for (int64_t t = 0; t < rows; ++t) every[t] = t;
    const int64_t* all = every.data();
    pool.run(rows, [&](int64_t t) { quantize_row(in + t * matrix.columns, quantized, t, raised(matrix.kind)); }, FEW_ROWS);
    pool.run(matrix.rows / LANES, [&](int64_t piece) {
        thread_local std::vector<uint8_t> panel;
        const int64_t row = piece * LANES;
        const F added = bias ? load(bias + row) : set(0.0f);
        multiply(matrix, 0, row, matrix.row(0, row + LANES), quantized, all, rows, panel, [&](int64_t t, F sums) {
            float* at = out + t * matrix.rows + row;
            const F value = add(sums, added);
            store(at, adds ? add(value, load(at)) : value);
        });
    }, RUN);
}

}  // namespace ossian
