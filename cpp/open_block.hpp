// Makes a block ready for many documents; see OpenBlock.
#pragma once
#include "block_scores.hpp"
#include "huge_pages.hpp"

namespace ramify {

// Keeps one block open at a time.
class BlockOpener {
public:
    // Valid until the next call. Damaged counts are cut, so that what is found by them lies within the block.
    const OpenBlock& open(const PackedLevel& level, int64_t number);

private:
    template <Precision precision, class Number>
    void fill(const PackedLevel& level, int64_t number, HugeVector<Number>& dense);

    OpenBlock block_{};
    HugeVector<OpenRow> rows_;
    HugeVector<int8_t> steps_;
    HugeVector<float> floats_;
};

// Whether as many features are looked up as pay for opening.
bool opening_pays(const PackedLevel& level, int64_t number, int64_t features_to_look_up);

}  // namespace ramify
