// Expands a block for many documents; see OpenBlock.
#pragma once
#include "block_scores.hpp"
#include "huge_pages.hpp"

namespace ramify {

// Keeps one expanded block at a time.
class BlockOpener {
public:
    // Valid until the next call. Damaged counts are limited, so that no access leaves the block.
    const OpenBlock& open(const PackedLevel& level, int64_t number);

private:
    template <Precision precision, class Number>
    void fill(const PackedLevel& level, int64_t number, HugeVector<Number>& dense);

    OpenBlock block_{};
    HugeVector<OpenRow> rows_;
    HugeVector<int8_t> steps_;
    HugeVector<float> floats_;
};

// Whether the number of lookups justifies the expansion.
bool opening_pays(const PackedLevel& level, int64_t number, int64_t features_to_look_up);

}  // namespace ramify
