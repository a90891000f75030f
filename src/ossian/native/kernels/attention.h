// Attention over keys and values that lie in blocks, with sinks and an optional window.
//
// A block holds BLOCK_TOKENS positions of one layer: keys [key heads][head size][position], so that the scores of many
// positions lie side by side; values [key heads][position][head size]. Both in half precision.
#pragma once

#include <limits>

#include "simple.h"

namespace ossian {

constexpr int64_t BLOCK_TOKENS = 64;

// Where the keys and values of every layer lie, and which blocks belong to which conversation.
struct Cache {
    uint16_t *keys, *values;  // [blocks, layers, key heads, ...]
    int64_t blocks, layers, heads, size;

    int64_t offset(int64_t block, int64_t layer, int64_t head) const {
        return ((block * layers + layer) * heads + head) * size * BLOCK_TOKENS;
    }
};

// Each row is one token: at `positions[row]` of the conversation whose blocks are `tables[conversations[row]]`.
struct Places {
    const int32_t *positions, *conversations, *tables;
    int64_t rows, most_blocks;

    int64_t block(int64_t row, int64_t position) const {
        return tables[conversations[row] * most_blocks + position / BLOCK_TOKENS];
    }
};

// Puts the keys and values of new tokens, [rows, heads · size], into their places.
inline void remember(Pool& pool, const float* keys, const float* values, const Cache& cache, int64_t layer, const Places& places) {
    const int64_t width = cache.heads * cache.size;
    pool.run(places.rows, [&](int64_t row) {
        const int64_t at = places.positions[row] % BLOCK_TOKENS, block = places.block(row, places.positions[row]);
        for (int64_t h = 0; h < cache.heads; ++h) {
            const int64_t offset = cache.offset(block, layer, h);
            const float *key = keys + row * width + h * cache.size, *value = values + row * width + h * cache.size;
            for (int64_t i = 0; i < cache.size; ++i) {
                cache.keys[offset + i * BLOCK_TOKENS + at] = _cvtss_sh(key[i], _MM_FROUND_TO_NEAREST_INT);
                cache.values[offset + at * cache.size + i] = _cvtss_sh(value[i], _MM_FROUND_TO_NEAREST_INT);
            }
        }
    });
}

// What one query has gathered: the largest score so far, the sum of the raised scores, the weighted values.
struct Gathered {
    float top, total;
};

// Scores of Q queries with one block: [Q][BLOCK_TOKENS].
template <int Q>
inline void score(const float* const* queries, const float* keys, int64_t size, float* scores) {
    constexpr int WIDE = 4;
    for (int64_t p = 0; p < BLOCK_TOKENS; p += WIDE * LANES) {
        F total[Q][WIDE];
        for (int q = 0; q < Q; ++q)
            for (int w = 0; w < WIDE; ++w) total[q][w] = set(0.0f);
        for (int64_t i = 0; i < size; ++i) {
            F key[WIDE];
#pragma GCC unroll 4
            for (int w = 0; w < WIDE; ++w) key[w] = load(keys + i * BLOCK_TOKENS + p + w * LANES);
#pragma GCC unroll 4
            for (int q = 0; q < Q; ++q)
#pragma GCC unroll 4
                for (int w = 0; w < WIDE; ++w) total[q][w] = fma(key[w], set(queries[q][i]), total[q][w]);
        }
        for (int q = 0; q < Q; ++q)
            for (int w = 0; w < WIDE; ++w) store(scores + q * BLOCK_TOKENS + p + w * LANES, total[q][w]);
    }
}

// Adds a block's values at positions [first, last], weighted, to what Q queries have gathered.
template <int Q>
inline void gather(const float* weights, const float* values, int64_t size, int64_t first, int64_t last, float* const* out) {
    constexpr int WIDE = 2;
    for (int64_t d = 0; d < size; d += WIDE * LANES) {
        F total[Q][WIDE];
        for (int q = 0; q < Q; ++q)
            for (int w = 0; w < WIDE; ++w) total[q][w] = load(out[q] + d + w * LANES);
        for (int64_t p = first; p <= last; ++p) {
            F value[WIDE];
#pragma GCC unroll 2
            for (int w = 0; w < WIDE; ++w) value[w] = load(values + p * size + d + w * LANES);
#pragma GCC unroll 4
            for (int q = 0; q < Q; ++q)
#pragma GCC unroll 2
                for (int w = 0; w < WIDE; ++w) total[q][w] = fma(value[w], set(weights[q * BLOCK_TOKENS + p]), total[q][w]);
        }
        for (int q = 0; q < Q; ++q)
            for (int w = 0; w < WIDE; ++w) store(out[q] + d + w * LANES, total[q][w]);
    }
}

// Turns the scores of one query into weights, where it may look at positions [first, last] of the block.
inline void raise_scores(float* scores, float scale, int64_t first, int64_t last, Gathered& so_far, float* out, int64_t size) {
    float most = so_far.top;
    for (int64_t p = 0; p < BLOCK_TOKENS; ++p) {
        scores[p] = p < first || p > last ? -std::numeric_limits<float>::infinity() : scores[p] * scale;
        most = scores[p] > most ? scores[p] : most;
    }
    F total = set(0.0f);
    for (int64_t p = 0; p < BLOCK_TOKENS; p += LANES) {
        const F weights = exponential(sub(load(scores + p), set(most)));
        store(scores + p, weights);
        total = add(total, weights);
    }
    if (most > so_far.top) {
        const float fade = std::exp(so_far.top - most);
        so_far.total *= fade;
        for (int64_t d = 0; d < size; d += LANES) store(out + d, mul(load(out + d), set(fade)));
    }
    so_far.top = most;
    so_far.total += sum(total);
}

// One block for Q queries of the same token.
template <int Q>
inline void look(const float* const* queries, const float* keys, const float* values, int64_t size, float scale, int64_t first, int64_t last, Gathered* so_far, float* const* out) {
    alignas(64) float scores[Q * BLOCK_TOKENS];
    score<Q>(queries, keys, size, scores);
    for (int q = 0; q < Q; ++q) raise_scores(scores + q * BLOCK_TOKENS, scale, first, last, so_far[q], out[q], size);
    gather<Q>(scores, values, size, first, last, out);
}

template <int Q = QUERIES>
inline void look_with_few(int count, const float* const* queries, const float* keys, const float* values, int64_t size, float scale, int64_t first, int64_t last, Gathered* so_far, float* const* out) {
    if (count == Q) return look<Q>(queries, keys, values, size, scale, first, last, so_far, out);
    if constexpr (Q > 1) look_with_few<Q - 1>(count, queries, keys, values, size, scale, first, last, so_far, out);
}

// Attention of every row's queries, [rows, query heads · size], into `out`, of the same shape.
//
// A query meets whole blocks in their order, whoever asks beside it: the same token gives the same numbers whether it is
// read with its prompt or written alone. `window` 0: every earlier position.
class Attention {
public:
    Attention(const float* queries, int64_t heads, const float* sinks, const Cache& cache, int64_t layer, const Places& places, int64_t window, float* out)
        : queries_(queries), sinks_(sinks), cache_(cache), places_(places), layer_(layer), window_(window), out_(out),
          group_(heads / cache.heads), width_(heads * cache.size), scale_(1.0f / std::sqrt(static_cast<float>(cache.size))) {}

    void run(Pool& pool) const {
        std::vector<int64_t> tiles{0};
        for (int64_t row = 1; row < places_.rows; ++row)
            if (row - tiles.back() == TILE || places_.conversations[row] != places_.conversations[row - 1]) tiles.push_back(row);
        tiles.push_back(places_.rows);
        const int64_t count = static_cast<int64_t>(tiles.size()) - 1;
        pool.run(count * cache_.heads, [&](int64_t i) {
            const int64_t tile = count - 1 - i / cache_.heads;  // later tokens look at more: they come first
            attend(tiles[tile], tiles[tile + 1], i % cache_.heads);
        });
    }

private:
    static constexpr int64_t TILE = 16;  // tokens that share one reading of keys and values

    int64_t first_seen(int64_t row) const {
        return window_ ? std::max<int64_t>(0, places_.positions[row] - window_ + 1) : 0;
    }

    void attend(int64_t begin, int64_t end, int64_t head) const {
        thread_local std::vector<float> keys, values;
        thread_local std::vector<Gathered> so_far;
        const int64_t size = cache_.size, area = size * BLOCK_TOKENS;
        keys.resize(area);
        values.resize(area);
        so_far.resize((end - begin) * group_);
        int64_t first = std::numeric_limits<int64_t>::max(), last = 0;
        for (int64_t row = begin; row < end; ++row) {
            first = std::min(first, first_seen(row));
            last = std::max<int64_t>(last, places_.positions[row]);
            for (int64_t g = 0; g < group_; ++g) {
                so_far[(row - begin) * group_ + g] = {sinks_[head * group_ + g], 1.0f};
                std::fill_n(at(row, head, g), size, 0.0f);
            }
        }
        for (int64_t b = first / BLOCK_TOKENS; b <= last / BLOCK_TOKENS; ++b) {
            const int64_t offset = cache_.offset(places_.block(begin, b * BLOCK_TOKENS), layer_, head);
            for (int64_t i = 0; i < area; i += LANES) {
                store(&keys[i], load_half(cache_.keys + offset + i));
                store(&values[i], load_half(cache_.values + offset + i));
            }
            for (int64_t row = begin; row < end; ++row)
                look_from(row, b, head, keys.data(), values.data(), &so_far[(row - begin) * group_]);
        }
        for (int64_t row = begin; row < end; ++row)
            for (int64_t g = 0; g < group_; ++g) {
                const F share = set(1.0f / so_far[(row - begin) * group_ + g].total);
                float* from = at(row, head, g);
                for (int64_t d = 0; d < size; d += LANES) store(from + d, mul(load(from + d), share));
            }
    }

    void look_from(int64_t row, int64_t block, int64_t head, const float* keys, const float* values, Gathered* so_far) const {
        const int64_t start = block * BLOCK_TOKENS;
        const int64_t first = std::max<int64_t>(0, first_seen(row) - start), last = std::min<int64_t>(BLOCK_TOKENS - 1, places_.positions[row] - start);
        if (last < 0 || first >= BLOCK_TOKENS) return;
        for (int64_t g = 0; g < group_; g += QUERIES) {
            const int count = static_cast<int>(std::min<int64_t>(QUERIES, group_ - g));
            const float* queries[QUERIES];
            float* out[QUERIES];
            for (int q = 0; q < count; ++q) {
                queries[q] = queries_ + row * width_ + (head * group_ + g + q) * cache_.size;
                out[q] = at(row, head, g + q);
            }
            look_with_few(count, queries, keys, values, cache_.size, scale_, first, last, so_far + g, out);
        }
    }

    float* at(int64_t row, int64_t head, int64_t g) const { return out_ + row * width_ + (head * group_ + g) * cache_.size; }

    const float *queries_, *sinks_;
    const Cache& cache_;
    const Places& places_;
    int64_t layer_, window_;
    float* out_;
    int64_t group_, width_;
    float scale_;
};

}  // namespace ossian
