// Activations as bytes: 32 of them share a scale, as the weights they meet do.
#pragma once

#include <vector>

#include "vectors.h"

namespace ossian {

constexpr int64_t BLOCK = 32;

// Rows of activations. `start` is minus the sum of each block, times what the weights' bytes are raised by to be unsigned.
struct Bytes {
    int64_t columns = 0;
    std::vector<int8_t> values;
    std::vector<float> scales;
    std::vector<int32_t> starts;

    void resize(int64_t rows, int64_t width) {
        columns = width;
        values.resize(rows * width);
        scales.resize(rows * (width / BLOCK));
        starts.resize(rows * (width / BLOCK));
    }
};

inline void quantize_row(const float* from, Bytes& into, int64_t row, int raised) {
    const int64_t blocks = into.columns / BLOCK;
    for (int64_t b = 0; b < blocks; ++b) {
        const float* block = from + b * BLOCK;
        F most = absolute(load(block));
        for (int i = LANES; i < BLOCK; i += LANES) most = largest(most, absolute(load(block + i)));
        const float scale = top(most) / 127.0f;
        const F inverse = set(scale > 0 ? 1.0f / scale : 0.0f);
        I total = set(0);
        for (int i = 0; i < BLOCK; i += LANES) {
            const I whole = round(mul(load(block + i), inverse));
            store_as_bytes(&into.values[row * into.columns + b * BLOCK + i], whole);
            total = add_integers(total, whole);
        }
        into.scales[row * blocks + b] = scale;
        into.starts[row * blocks + b] = -raised * sum(total);
    }
}

}  // namespace ossian
