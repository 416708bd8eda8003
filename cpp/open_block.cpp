#include "open_block.hpp"

#include <algorithm>

namespace ramify {

template <Precision precision, class Number>
void BlockOpener::fill(const PackedLevel& level, int64_t number, HugeVector<Number>& dense) {
    const int64_t n_children = level.block_begin[number + 1] - level.block_begin[number];
    const int64_t n_rows = level.block_rows[number + 1] - level.block_rows[number];
    const int64_t n_entries = level.block_entries[number + 1] - level.block_entries[number];
    const uint8_t* const counts = level.counts + level.block_rows[number];
    const uint8_t* const entries = level.entries + level.block_entries[number] * entry_bytes(precision);
    const int64_t stride = (n_children + 15) / 16 * 16;
    const auto n_dense = std::count_if(counts, counts + n_rows, [&](uint8_t count) { return is_dense(count + 1, n_children); });
    dense.assign(size_t((n_dense + 1) * stride), Number(0));  // the first stays 0, for rows without entries
    rows_.resize(size_t(n_rows));
    int64_t entry = 0;
    uint32_t next = 1;
    for (int64_t row = 0; row < n_rows; ++row) {
        const int64_t count = std::min<int64_t>(counts[row] + 1, n_entries - entry);
        const bool kept_dense = is_dense(counts[row] + 1, n_children);
        rows_[size_t(row)] = kept_dense ? OpenRow{next, 0} : count == 0 ? OpenRow{0, 0} : OpenRow{uint32_t(entry), uint32_t(count)};
        for (int64_t at = entry; kept_dense && at < entry + count; ++at) {
            const uint8_t* const record = entries + at * entry_bytes(precision);
            if (record[0] < n_children) dense[next * size_t(stride) + record[0]] = Number(stored_weight<precision>(record));
        }
        next += kept_dense;
        entry += count;
    }
    block_ = {rows_.data(), dense.data(), stride};
}

const OpenBlock& BlockOpener::open(const PackedLevel& level, int64_t number) {
    switch (level.precision) {
        case Precision::int8: fill<Precision::int8>(level, number, steps_); break;
        case Precision::bf16: fill<Precision::bf16>(level, number, floats_); break;
        case Precision::fp32: fill<Precision::fp32>(level, number, floats_); break;
    }
    return block_;
}

bool opening_pays(const PackedLevel& level, int64_t number, int64_t features_to_look_up) {
    const int64_t n_rows = level.block_rows[number + 1] - level.block_rows[number];
    return n_rows > 0 && features_to_look_up >= n_rows;
}

}  // namespace ramify
