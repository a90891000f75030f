// The mixture of experts: each token goes to a few of them, and their answers are added by weight.
#pragma once

#include "simple.h"

namespace ossian {

struct Experts {
    Matrix gate, up, down;
    const float *gate_bias, *up_bias, *down_bias;  // [experts, rows]
};

constexpr float SWIGLU_ALPHA = 1.702f, SWIGLU_LIMIT = 7.0f;

// gate · sigmoid(1.702 gate) · (up + 1), both clamped.
inline F swiglu(F gate, F up) {
    gate = smallest(gate, set(SWIGLU_LIMIT));
    up = smallest(largest(up, set(-SWIGLU_LIMIT)), set(SWIGLU_LIMIT));
    const F raised = exponential(smallest(mul(gate, set(-SWIGLU_ALPHA)), set(80.0f)));
    return mul(div(gate, add(set(1.0f), raised)), add(up, set(1.0f)));
}

// Who goes where: the choices (token · chosen + place) of each expert, in the order of tokens.
struct Routes {
    std::vector<int64_t> choices, tokens, starts;  // starts: [experts + 1]
    std::vector<int64_t> busy;                     // the experts that somebody goes to

    void sort(const int32_t* expert_of, int64_t count, int64_t chosen, int64_t experts) {
        starts.assign(experts + 1, 0);
        for (int64_t i = 0; i < count; ++i) ++starts[expert_of[i] + 1];
        for (int64_t e = 0; e < experts; ++e) starts[e + 1] += starts[e];
        busy.clear();
        for (int64_t e = 0; e < experts; ++e)
            if (starts[e] < starts[e + 1]) busy.push_back(e);
        choices.resize(count);
        tokens.resize(count);
        std::vector<int64_t> next(starts.begin(), starts.end() - 1);
        for (int64_t i = 0; i < count; ++i) {
            const int64_t at = next[expert_of[i]]++;
            choices[at] = i;
            tokens[at] = i / chosen;
        }
    }

    int64_t count(int64_t expert) const { return starts[expert + 1] - starts[expert]; }
};

// x += the weighted answers of each token's experts to h. Both are [rows, width]; the rest is [rows, chosen].
//
// Experts are added in the order of their numbers, so that neither threads nor company change a token's answer.
inline void mix(Pool& pool, const float* h, int64_t rows, const int32_t* expert_of, const float* weights, int64_t chosen, const Experts& experts, float* x) {
    static thread_local Routes routes;
    static thread_local Bytes outer, inner;
    static thread_local std::vector<float> middle;
    const Routes& to = routes;
    Bytes &in = outer, &between = inner;
    const int64_t width = experts.gate.columns, deep = experts.gate.rows, count = experts.gate.experts;
    routes.sort(expert_of, rows * chosen, chosen, count);
    in.resize(rows, width);
    between.resize(rows * chosen, deep);
    middle.resize(rows * chosen * deep);
    float* const values = middle.data();
    pool.run(rows, [&](int64_t t) { quantize_row(h + t * width, in, t, raised(experts.gate.kind)); }, FEW_ROWS);
    const int64_t pieces = deep / LANES, busy = to.busy.size();
    pool.run(busy * pieces, [&](int64_t piece) {
        thread_local std::vector<uint8_t> panel;
        const int64_t e = to.busy[piece / pieces], row = piece % pieces * LANES, first = to.starts[e], many = to.count(e);
        const auto at = [&](int64_t t) { return values + to.choices[first + t] * deep + row; };
        const F gate_bias = load(experts.gate_bias + e * deep + row), up_bias = load(experts.up_bias + e * deep + row);
        const int64_t* tokens = &to.tokens[first];
        multiply(experts.gate, e, row, experts.up.row(e, row), in, tokens, many, panel, [&](int64_t t, F sums) { store(at(t), add(sums, gate_bias)); });
        multiply(experts.up, e, row, experts.gate.row(e, row + LANES), in, tokens, many, panel,
                 [&](int64_t t, F sums) { store(at(t), swiglu(load(at(t)), add(sums, up_bias))); });
    }, RUN);
    pool.run(rows * chosen, [&](int64_t i) { quantize_row(values + i * deep, between, i, raised(experts.down.kind)); }, FEW_ROWS);
    pool.run(width / LANES, [&](int64_t piece) {
        thread_local std::vector<uint8_t> panel;
        const int64_t row = piece * LANES;
        for (int64_t i = 0; i < busy; ++i) {
            const int64_t e = to.busy[i], first = to.starts[e], many = to.count(e);
            const uint8_t* next = i + 1 < busy ? experts.down.row(to.busy[i + 1], row) : experts.down.row(to.busy[0], row + LANES);
            const F bias = load(experts.down_bias + e * width + row);
            multiply(experts.down, e, row, next, between, &to.choices[first], many, panel, [&](int64_t t, F sums) {
                float* into = x + to.tokens[first + t] * width + row;
                store(into, fma(set(weights[to.choices[first + t]]), add(sums, bias), load(into)));
            });
        }
    }, RUN);
}

}  // namespace ossian
