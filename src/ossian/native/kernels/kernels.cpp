// What Python sees: arrays are checked here, and the work is done without its lock.
//
// Compiled once for each instruction set, as the module OSSIAN_MODULE.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <optional>
#include <stdexcept>
#include <string>

#include "attention.h"
#include "experts.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace ossian {

template <class T, class... Shape>
using Array = nb::ndarray<T, nb::numpy, nb::c_contig, nb::device::cpu, Shape...>;
using Floats = Array<float, nb::ndim<2>>;
using Row = Array<const float, nb::ndim<1>>;
using Rows = Array<const float, nb::ndim<2>>;
using Numbers = Array<const int32_t, nb::ndim<1>>;
using NumberTable = Array<const int32_t, nb::ndim<2>>;
using File = Array<const uint8_t, nb::ndim<1>>;
using Halves = Array<uint16_t, nb::ndim<5>>;

void require(bool holds, const char* what) {
    if (!holds) throw std::invalid_argument(what);
}

// A matrix of a file; keeps the mapped file alive.
struct HeldMatrix {
    File file;
    Matrix matrix;

    HeldMatrix(File bytes, int kind, int64_t experts, int64_t rows, int64_t columns) : file(std::move(bytes)) {
        matrix = {file.data(), static_cast<Kind>(kind), experts, rows, columns};
        constexpr int64_t most = int64_t{1} << 24;
        require(experts > 0 && rows > 0 && columns > 0 && experts <= most && rows <= most && columns <= most, "a matrix of this size");
        const int64_t each = row_bytes(matrix.kind, columns);
        require(each > 0, "a kind of number the kernels do not know");
        if (is_quantized(matrix.kind)) require(rows % LANES == 0 && columns % BLOCK == 0, "rows and columns of quantized weights come in blocks of 32");
        require(static_cast<__int128>(experts) * rows * each == static_cast<__int128>(file.nbytes()), "the bytes of a matrix do not fill its shape");
    }
};

const float* data_of(const std::optional<Row>& row, int64_t size) {
    if (!row) return nullptr;
    require(static_cast<int64_t>(row->size()) == size, "a bias of another length than its matrix");
    return row->data();
}

void check_range(const Numbers& numbers, int64_t end, const char* what) {
    for (size_t i = 0; i < numbers.size(); ++i) require(numbers.data()[i] >= 0 && numbers.data()[i] < end, what);
}

void embed(Pool& pool, const HeldMatrix& table, Numbers tokens, Floats out) {
    const Matrix& matrix = table.matrix;
    require(out.shape(0) == tokens.shape(0) && static_cast<int64_t>(out.shape(1)) == matrix.columns, "embed: shapes differ");
    check_range(tokens, matrix.rows, "embed: no such token");
    nb::gil_scoped_release unlocked;
    pool.run(tokens.size(), [&](int64_t t) { read_row(matrix, tokens.data()[t], out.data() + t * matrix.columns); });
}

void norm(Pool& pool, Rows x, Row weight, float epsilon, Floats out) {
    const int64_t width = x.shape(1);
    require(out.shape(0) == x.shape(0) && out.shape(1) == x.shape(1) && weight.size() == x.shape(1), "norm: shapes differ");
    nb::gil_scoped_release unlocked;
    pool.run(x.shape(0), [&](int64_t t) { norm_row(x.data() + t * width, weight.data(), width, epsilon, out.data() + t * width); });
}

void rotate(Pool& pool, Floats x, int64_t size, Rows cosine, Rows sine) {
    const int64_t width = x.shape(1), half = size / 2;
    require(size > 0 && size % 2 == 0 && width % size == 0, "rotate: heads do not fill a row");
    require(cosine.shape(0) == x.shape(0) && static_cast<int64_t>(cosine.shape(1)) == half, "rotate: one angle per row and pair");
    require(sine.shape(0) == x.shape(0) && static_cast<int64_t>(sine.shape(1)) == half, "rotate: one angle per row and pair");
    nb::gil_scoped_release unlocked;
    pool.run(x.shape(0), [&](int64_t t) { rotate_row(x.data() + t * width, width / size, size, cosine.data() + t * half, sine.data() + t * half); });
}

void multiply_by(Pool& pool, Rows in, const HeldMatrix& held, std::optional<Row> bias, Floats out, bool adds) {
    const Matrix& matrix = held.matrix;
    require(matrix.experts == 1 && static_cast<int64_t>(in.shape(1)) == matrix.columns, "linear: the input does not fit the matrix");
    require(out.shape(0) == in.shape(0) && static_cast<int64_t>(out.shape(1)) == matrix.rows, "linear: the output does not fit the matrix");
    const float* added = data_of(bias, matrix.rows);
    nb::gil_scoped_release unlocked;
    linear(pool, in.data(), in.shape(0), matrix, added, out.data(), adds);
}

Cache view(const Halves& keys, const Halves& values) {
    const int64_t blocks = keys.shape(0), layers = keys.shape(1), heads = keys.shape(2), size = keys.shape(3);
    require(keys.shape(4) == BLOCK_TOKENS && size > 0 && size % 32 == 0, "cache: keys are [blocks, layers, heads, size, 64], of a size of 32, 64, ...");
    require(static_cast<int64_t>(values.shape(0)) == blocks && static_cast<int64_t>(values.shape(1)) == layers && static_cast<int64_t>(values.shape(2)) == heads &&
                values.shape(3) == BLOCK_TOKENS && static_cast<int64_t>(values.shape(4)) == size, "cache: values are [blocks, layers, heads, 64, size]");
    return {keys.data(), values.data(), blocks, layers, heads, size};
}

Places locate(const Numbers& positions, const Numbers& conversations, const NumberTable& tables, const Cache& cache) {
    require(positions.size() == conversations.size(), "places: one position and one conversation per row");
    check_range(conversations, tables.shape(0), "places: no such conversation");
    check_range(positions, tables.shape(1) * BLOCK_TOKENS, "places: a position without a block");
    const Places places{positions.data(), conversations.data(), tables.data(), static_cast<int64_t>(positions.size()), static_cast<int64_t>(tables.shape(1))};
    for (int64_t row = 0; row < places.rows; ++row)
        for (int64_t b = 0; b <= places.positions[row] / BLOCK_TOKENS; ++b) {
            const int64_t block = places.block(row, b * BLOCK_TOKENS);
            require(block >= 0 && block < cache.blocks, "places: no such block");
        }
    return places;
}

void attend(Pool& pool, Floats queries, Rows keys, Rows values, Row sinks, Halves cache_keys, Halves cache_values, int64_t layer,
            Numbers positions, Numbers conversations, NumberTable tables, int64_t window, Floats out) {
    const Cache cache = view(cache_keys, cache_values);
    const Places places = locate(positions, conversations, tables, cache);
    const int64_t heads = sinks.size(), width = heads * cache.size, key_width = cache.heads * cache.size;
    require(layer >= 0 && layer < cache.layers && window >= 0 && heads > 0 && heads % cache.heads == 0, "attend: no such layer, window or heads");
    for (const auto& [array, wide] : {std::pair{&keys, key_width}, std::pair{&values, key_width}})
        require(static_cast<int64_t>(array->shape(0)) == places.rows && static_cast<int64_t>(array->shape(1)) == wide, "attend: shapes differ");
    for (const Floats* array : {&queries, &out})
        require(static_cast<int64_t>(array->shape(0)) == places.rows && static_cast<int64_t>(array->shape(1)) == width, "attend: shapes differ");
    nb::gil_scoped_release unlocked;
    remember(pool, keys.data(), values.data(), cache, layer, places);
    Attention(queries.data(), heads, sinks.data(), cache, layer, places, window, out.data()).run(pool);
}

void check_expert(const HeldMatrix& held, const Rows& bias, int64_t experts, int64_t rows, int64_t columns) {
    const Matrix& matrix = held.matrix;
    require(is_quantized(matrix.kind) && matrix.experts == experts && matrix.rows == rows && matrix.columns == columns, "mix: matrices do not fit together");
    require(static_cast<int64_t>(bias.shape(0)) == experts && static_cast<int64_t>(bias.shape(1)) == rows, "mix: a bias of another shape than its matrix");
}

void mix_experts(Pool& pool, Rows h, NumberTable chosen, Rows weights, const HeldMatrix& gate, Rows gate_bias, const HeldMatrix& up, Rows up_bias,
                 const HeldMatrix& down, Rows down_bias, Floats x) {
    const int64_t rows = h.shape(0), width = h.shape(1), deep = gate.matrix.rows, experts = gate.matrix.experts, few = chosen.shape(1);
    check_expert(gate, gate_bias, experts, deep, width);
    check_expert(up, up_bias, experts, deep, width);
    check_expert(down, down_bias, experts, width, deep);
    require(up.matrix.kind == gate.matrix.kind, "mix: gate and up are of different kinds");
    require(x.shape(0) == h.shape(0) && x.shape(1) == h.shape(1), "mix: shapes differ");
    require(static_cast<int64_t>(chosen.shape(0)) == rows && static_cast<int64_t>(weights.shape(0)) == rows && static_cast<int64_t>(weights.shape(1)) == few, "mix: shapes differ");
    for (size_t i = 0; i < chosen.size(); ++i) require(chosen.data()[i] >= 0 && chosen.data()[i] < experts, "mix: no such expert");
    const Experts all{gate.matrix, up.matrix, down.matrix, gate_bias.data(), up_bias.data(), down_bias.data()};
    nb::gil_scoped_release unlocked;
    mix(pool, h.data(), rows, chosen.data(), weights.data(), few, all, x.data());
}

}  // namespace ossian

NB_MODULE(OSSIAN_MODULE, module) {
    using namespace ossian;
    module.attr("BLOCK_TOKENS") = BLOCK_TOKENS;
    nb::class_<Pool>(module, "Pool").def(nb::init<int>(), "threads"_a).def_prop_ro("threads", &Pool::threads);
    nb::class_<HeldMatrix>(module, "Matrix")
        .def(nb::init<File, int, int64_t, int64_t, int64_t>(), "data"_a, "kind"_a, "experts"_a, "rows"_a, "columns"_a)
        .def_prop_ro("rows", [](const HeldMatrix& held) { return held.matrix.rows; })
        .def_prop_ro("columns", [](const HeldMatrix& held) { return held.matrix.columns; })
        .def_prop_ro("experts", [](const HeldMatrix& held) { return held.matrix.experts; });
    module.def("embed", &embed, "pool"_a, "table"_a, "tokens"_a, "out"_a);
    module.def("norm", &norm, "pool"_a, "x"_a, "weight"_a, "epsilon"_a, "out"_a);
    module.def("rotate", &rotate, "pool"_a, "x"_a, "size"_a, "cosine"_a, "sine"_a);
    module.def("linear", &multiply_by, "pool"_a, "x"_a, "matrix"_a, "bias"_a.none(), "out"_a, "adds"_a);
    module.def("attend", &attend, "pool"_a, "queries"_a, "keys"_a, "values"_a, "sinks"_a, "cache_keys"_a, "cache_values"_a, "layer"_a, "positions"_a,
               "conversations"_a, "tables"_a, "window"_a, "out"_a);
    module.def("mix", &mix_experts, "pool"_a, "h"_a, "chosen"_a, "weights"_a, "gate"_a, "gate_bias"_a, "up"_a, "up_bias"_a, "down"_a, "down_bias"_a, "x"_a);
}
