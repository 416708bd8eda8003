// The margins of one block of siblings for one document: look every feature up, add up what is found.
#pragma once
#include <algorithm>
#include <cstring>
#include <vector>

#include "packed.hpp"

namespace ramify {

// A document's features, hashed once for all blocks of all levels.
struct HashedDocument {
    std::vector<uint32_t> hashes;
    std::vector<float> values;

    void assign(const int32_t* features, const float* data, int64_t n, int hash_bits) {
        hashes.resize(size_t(n));
        values.assign(data, data + n);
        for (int64_t i = 0; i < n; ++i) hashes[size_t(i)] = hash_feature(uint32_t(features[i]), hash_bits);
    }
};

// One per worker.
class BlockScorer {
public:
    // Writes the margin of every child of the block to `margins`.
    void score(const PackedLevel& level, int64_t block, const HashedDocument& document, float* margins) {
        const int64_t first = level.block_begin[block];
        const int64_t n_children = level.block_begin[block + 1] - first;
        std::fill(sums_, sums_ + n_children, 0.0f);
        if (level.block_words[block + 1] > level.block_words[block]) {
            hits_.clear();
            if (level.wide_keys)
                find<uint32_t>(level, block, document);
            else
                find<uint16_t>(level, block, document);
            if (level.precision == Precision::int8)
                accumulate<Precision::int8>(level.entries);
            else if (level.precision == Precision::bf16)
                accumulate<Precision::bf16>(level.entries);
            else
                accumulate<Precision::fp32>(level.entries);
        }
        for (int64_t child = 0; child < n_children; ++child)
            margins[child] = sums_[child] * level.scale[first + child] + level.bias[first + child];
    }

private:
    struct Hit {
        int64_t entry;
        int32_t count;
        float value;
    };

    static constexpr size_t kAhead = 12;

    // Bounds are checked, so that no damage in a mapped file can make this read elsewhere.
    template <class Key>
    void find(const PackedLevel& level, int64_t block, const HashedDocument& document) {
        const HashWord* const words = level.words + level.block_words[block];
        const auto n_words = uint32_t(level.block_words[block + 1] - level.block_words[block]);
        const int shift = level.hash_bits - log2_exact(uint64_t(n_words) * 64);
        const Key* const keys = static_cast<const Key*>(level.keys) + level.block_rows[block];
        const uint8_t* const counts = level.counts + level.block_rows[block];
        const int64_t n_rows = level.block_rows[block + 1] - level.block_rows[block];
        const int64_t first_entry = level.block_entries[block], end_entry = level.block_entries[block + 1];
        const size_t n = document.hashes.size();
        for (size_t i = 0; i < n; ++i) {
            if (i + kAhead < n) __builtin_prefetch(words + (document.hashes[i + kAhead] >> shift >> 6));
            const uint32_t hash = document.hashes[i];
            uint32_t slot = hash >> shift;
            // A narrow key tells rows apart only as far as a row can be from its own slot.
            const uint32_t end = sizeof(Key) == 2 ? slot + kMaxNarrowProbe : ~0u;
            for (; slot >> 6 < n_words && slot < end; ++slot) {
                const HashWord& word = words[slot >> 6];
                if ((word.bits >> (slot & 63) & 1) == 0) break;
                const int64_t row = int64_t(word.row) + __builtin_popcountll(word.bits & ((uint64_t(1) << (slot & 63)) - 1));
                if (row >= n_rows) break;
                if (keys[row] != Key(hash)) continue;
                int64_t entry = first_entry + word.entry;
                for (int64_t before = word.row; before < row; ++before) entry += int64_t(counts[before]) + 1;
                const int32_t count = int32_t(counts[row]) + 1;
                if (entry + count > end_entry) break;
                __builtin_prefetch(level.entries + entry * entry_bytes(level.precision));
                hits_.push_back({entry, count, document.values[i]});
                break;
            }
        }
    }

    template <Precision precision>
    void accumulate(const uint8_t* entries) {
        for (const Hit& hit : hits_) {
            const uint8_t* record = entries + hit.entry * entry_bytes(precision);
            const uint8_t* const last = record + int64_t(hit.count) * entry_bytes(precision);
            for (; record != last; record += entry_bytes(precision)) {
                float weight;
                if constexpr (precision == Precision::int8) {
                    weight = float(int8_t(record[1]));
                } else if constexpr (precision == Precision::bf16) {
                    const uint32_t bits = uint32_t(record[1]) << 16 | uint32_t(record[2]) << 24;
                    std::memcpy(&weight, &bits, 4);
                } else {
                    std::memcpy(&weight, record + 1, 4);
                }
                sums_[record[0]] += hit.value * weight;
            }
        }
    }

    float sums_[256];
    std::vector<Hit> hits_;
};

}  // namespace ramify
