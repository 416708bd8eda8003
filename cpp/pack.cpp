#include "pack.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace ramify {
namespace {

constexpr int64_t kSlotsPerRow = 6;  // then rounded up to a power of two
constexpr int kMinSlotBits = 6;

struct Place {
    uint32_t slot;
    uint32_t hash;
    int64_t row;
};

// A block's rows by hash, which no two of them share: rounds of counting by some bits at a time, the lowest first.
class RowSorter {
public:
    void sort(const PlainLevel& level, int64_t block, int hash_bits, std::vector<Place>& places) {
        places.clear();
        for (int64_t row = level.block_rows[block]; row < level.block_rows[block + 1]; ++row)
            places.push_back({0, hash_feature(uint32_t(level.features[row]), hash_bits), row});
        if (places.size() < kFewRows)
            std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.hash < b.hash; });
        else
            for (int shift = 0; shift < hash_bits; shift += kBitsPerRound) sort_by_bits(shift, places);
    }

private:
    static constexpr size_t kFewRows = 256;
    static constexpr int kBitsPerRound = 10;
    static constexpr uint32_t kDigits = 1u << kBitsPerRound;

    void sort_by_bits(int shift, std::vector<Place>& places) {
        uint32_t begin[kDigits + 1] = {};
        for (const Place& place : places) ++begin[(place.hash >> shift & (kDigits - 1)) + 1];
        for (uint32_t digit = 0; digit < kDigits; ++digit) begin[digit + 1] += begin[digit];
        spare_.resize(places.size());
        for (const Place& place : places) spare_[begin[place.hash >> shift & (kDigits - 1)]++] = place;
        places.swap(spare_);
    }

    std::vector<Place> spare_;
};

// Assigns every row the first free slot at or after its own. False: a row would be too far away for its key.
bool place_rows(std::vector<Place>& places, int hash_bits, int slot_bits, bool wide) {
    const int shift = hash_bits - slot_bits;
    const uint32_t mask = uint32_t((uint64_t(1) << slot_bits) - 1);
    int64_t next = 0;
    for (Place& place : places) {
        place.slot = place.hash >> shift;
        next = std::max<int64_t>(next, place.slot);
        if (next > int64_t(mask)) return false;  // would wrap around; a larger table avoids it
        if (!wide && next - place.slot >= kMaxNarrowProbe) return false;
        place.slot = uint32_t(next++);
    }
    return true;
}

int starting_bits(int64_t rows, int hash_bits, bool wide) {
    int bits = kMinSlotBits;
    while ((int64_t(1) << bits) < rows * kSlotsPerRow) ++bits;
    if (!wide) bits = std::max(bits, hash_bits - kMaxNarrowShift);
    return std::min(bits, hash_bits);
}

uint16_t to_bf16(float value) {  // round to nearest even
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return uint16_t((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

class BlockPacker {
public:
    BlockPacker(const PlainLevel& level, const PackPlan& plan, int hash_bits, Precision precision, const PackedOut& out)
        : level_(level), plan_(plan), hash_bits_(hash_bits), precision_(precision), out_(out) {}

    void run() {
        set_scales();
        out_.block_entries[0] = 0;
        for (int64_t block = 0; block < level_.n_blocks; ++block) {
            out_.block_entries[block + 1] = entry_;
            if (plan_.slot_bits[size_t(block)] < 0) continue;
            sorter_.sort(level_, block, hash_bits_, places_);
            if (!place_rows(places_, hash_bits_, plan_.slot_bits[size_t(block)], plan_.wide_keys))
                throw std::logic_error("pack plan does not fit the level");
            write_block(block);
            out_.block_entries[block + 1] = entry_;
        }
    }

private:
    void set_scales() {
        std::fill(out_.scale, out_.scale + level_.n_nodes, precision_ == Precision::int8 ? 0.0f : 1.0f);
        if (precision_ != Precision::int8) return;
        each_entry([&](int64_t node, float value) { out_.scale[node] = std::max(out_.scale[node], std::fabs(value) / 127.0f); });
    }

    template <class Visit>
    void each_entry(Visit&& visit) {
        for (int64_t block = 0; block < level_.n_blocks; ++block)
            for (int64_t at = level_.row_entries[level_.block_rows[block]];
                 at < level_.row_entries[level_.block_rows[block + 1]]; ++at)
                visit(level_.block_begin[block] + level_.children[at], level_.values[at]);
    }

    void write_block(int64_t block) {
        HashWord* const words = out_.words + plan_.block_words[size_t(block)];
        const int64_t n_words = plan_.block_words[size_t(block) + 1] - plan_.block_words[size_t(block)];
        std::fill(words, words + n_words, HashWord{0, 0, 0});
        const int64_t first_entry = entry_;
        auto place = places_.begin();
        for (int64_t word = 0; word < n_words; ++word) {
            words[word].row = uint32_t(place - places_.begin());
            words[word].entry = uint32_t(entry_ - first_entry);
            for (; place != places_.end() && int64_t(place->slot >> 6) == word; ++place) {
                words[word].bits |= uint64_t(1) << (place->slot & 63);
                write_row(*place, level_.block_begin[block]);
            }
        }
    }

    void write_row(const Place& place, int64_t first_child) {
        if (plan_.wide_keys)
            static_cast<uint32_t*>(out_.keys)[row_] = place.hash;
        else
            static_cast<uint16_t*>(out_.keys)[row_] = uint16_t(place.hash);
        const int64_t begin = level_.row_entries[place.row], end = level_.row_entries[place.row + 1];
        out_.counts[row_++] = uint8_t(end - begin - 1);
        for (int64_t at = begin; at < end; ++at) write_entry(level_.children[at], level_.values[at], first_child);
    }

    void write_entry(uint8_t child, float value, int64_t first_child) {
        uint8_t* const record = out_.entries + entry_++ * entry_bytes(precision_);
        record[0] = child;
        if (precision_ == Precision::int8) {
            const float scale = out_.scale[first_child + child];
            const float steps = scale > 0.0f ? std::nearbyint(value / scale) : 0.0f;
            const auto rounded = int8_t(std::clamp(steps, -127.0f, 127.0f));
            std::memcpy(record + 1, &rounded, 1);
        } else if (precision_ == Precision::bf16) {
            const uint16_t rounded = to_bf16(value);
            std::memcpy(record + 1, &rounded, 2);
        } else {
            std::memcpy(record + 1, &value, 4);
        }
    }

    const PlainLevel& level_;
    const PackPlan& plan_;
    int hash_bits_;
    Precision precision_;
    PackedOut out_;
    RowSorter sorter_;
    std::vector<Place> places_;
    int64_t row_ = 0, entry_ = 0;
};

float entry_value(const uint8_t* record, Precision precision, float scale) {
    switch (precision) {
        case Precision::int8: return stored_weight<Precision::int8>(record) * scale;
        case Precision::bf16: return stored_weight<Precision::bf16>(record);
        default: return stored_weight<Precision::fp32>(record);
    }
}

// The hash of a row, from its slot and key.
uint32_t full_hash(const PackedLevel& level, int64_t row, uint32_t slot, int shift) {
    if (level.wide_keys) return static_cast<const uint32_t*>(level.keys)[row];
    const uint32_t key = static_cast<const uint16_t*>(level.keys)[row];
    const uint32_t known = (1u << (kNarrowKeyBits - shift)) - 1;  // low bits of its own slot, from the key
    const uint32_t home = slot - ((slot - (key >> shift)) & known);
    return (home << shift) | (key & ((1u << shift) - 1));
}

}  // namespace

PackPlan plan_pack(const PlainLevel& level, int hash_bits) {
    PackPlan plan;
    plan.wide_keys = hash_bits > 20;
    plan.block_words.push_back(0);
    RowSorter sorter;
    std::vector<Place> places;
    for (int64_t block = 0; block < level.n_blocks; ++block) {
        const int64_t rows = level.block_rows[block + 1] - level.block_rows[block];
        int bits = -1;
        if (rows > 0) {
            bits = starting_bits(rows, hash_bits, plan.wide_keys);
            sorter.sort(level, block, hash_bits, places);
            while (!place_rows(places, hash_bits, bits, plan.wide_keys)) ++bits;
        }
        plan.slot_bits.push_back(bits);
        plan.block_words.push_back(plan.block_words.back() + (bits < 0 ? 0 : (int64_t(1) << bits) / 64));
    }
    return plan;
}

void pack(const PlainLevel& level, const PackPlan& plan, int hash_bits, Precision precision, const PackedOut& out) {
    BlockPacker(level, plan, hash_bits, precision, out).run();
}

void unpack(const PackedLevel& level, const PlainOut& out) {
    struct Row {
        uint32_t feature;
        int64_t entry;
        int32_t count;
    };
    std::vector<Row> rows;
    int64_t out_row = 0, out_entry = 0;
    out.row_entries[0] = 0;
    for (int64_t block = 0; block < level.n_blocks; ++block) {
        rows.clear();
        const int64_t n_words = level.block_words[block + 1] - level.block_words[block];
        const int shift = n_words == 0 ? 0 : level.hash_bits - log2_exact(uint64_t(n_words) * 64);
        int64_t row = level.block_rows[block], entry = level.block_entries[block];
        for (int64_t word = 0; word < n_words; ++word)
            for (uint64_t bits = level.words[level.block_words[block] + word].bits; bits != 0; bits &= bits - 1) {
                const auto slot = uint32_t(word * 64 + __builtin_ctzll(bits));
                if (row >= level.block_rows[block + 1] || entry + level.counts[row] >= level.block_entries[block + 1])
                    throw std::invalid_argument("a block lists more weights than it has");
                const int32_t count = int32_t(level.counts[row]) + 1;
                rows.push_back({unhash_feature(full_hash(level, row, slot, shift), level.hash_bits), entry, count});
                entry += count;
                ++row;
            }
        if (row != level.block_rows[block + 1] || entry != level.block_entries[block + 1])
            throw std::invalid_argument("a block lists fewer weights than it has");
        const int64_t n_children = level.block_begin[block + 1] - level.block_begin[block];
        std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.feature < b.feature; });
        for (const Row& one : rows) {
            out.features[out_row] = int32_t(one.feature);
            for (int32_t i = 0; i < one.count; ++i) {
                const uint8_t* record = level.entries + (one.entry + i) * entry_bytes(level.precision);
                if (record[0] >= n_children) throw std::invalid_argument("a weight names a child that its block lacks");
                out.children[out_entry] = record[0];
                out.values[out_entry++] =
                    entry_value(record, level.precision, level.scale[level.block_begin[block] + record[0]]);
            }
            out.row_entries[++out_row] = out_entry;
        }
    }
}

}  // namespace ramify
