// The body of block_scores.hpp, compiled once per instruction set: define RAMIFY_LANES and RAMIFY_ISA_NAMESPACE, then
// include. No std:: templates here: the linker could merge an AVX-512 copy of one into the baseline.
//
// A block is looked up in three passes over the document, each with hardly a branch that depends on the data: which
// features hit a bit, which of these are the row they seem to be, and where the entries of those rows begin. A pass
// that branches on every feature would wait for a wrong guess at a third of them.
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "block_scores.hpp"

namespace ramify::RAMIFY_ISA_NAMESPACE {
namespace {

constexpr int kLanes = RAMIFY_LANES;
constexpr float kNever = -__builtin_inff();
typedef float Floats __attribute__((vector_size(4 * RAMIFY_LANES), aligned(4)));
typedef int32_t Ints __attribute__((vector_size(4 * RAMIFY_LANES), aligned(4)));

inline Floats load(const float* p) { return *reinterpret_cast<const Floats*>(p); }
inline void store(float* p, Floats v) { *reinterpret_cast<Floats*>(p) = v; }

inline uint32_t to_mask(Ints v) {
#if RAMIFY_LANES == 16 && defined(__AVX512DQ__)
    return _mm512_movepi32_mask((__m512i)v);
#elif RAMIFY_LANES == 8 && defined(__AVX__)
    return uint32_t(_mm256_movemask_ps((__m256)v));
#elif RAMIFY_LANES == 4 && defined(__SSE2__)
    return uint32_t(_mm_movemask_ps((__m128)v));
#else
    uint32_t mask = 0;
    for (int lane = 0; lane < kLanes; ++lane) mask |= uint32_t(v[lane] != 0) << lane;
    return mask;
#endif
}

// One block of one level.
struct Block {
    const HashWord* words;
    uint32_t n_words;
    int shift;  // from a hash to its slot
    int64_t first_row, n_rows;
    uint32_t n_entries;
    const uint8_t* counts;

    Block(const PackedLevel& level, int64_t block)
        : words(level.words + level.block_words[block]),
          n_words(uint32_t(level.block_words[block + 1] - level.block_words[block])),
          shift(level.hash_bits - log2_exact(uint64_t(n_words) * 64)), first_row(level.block_rows[block]),
          n_rows(level.block_rows[block + 1] - first_row),
          n_entries(uint32_t(level.block_entries[block + 1] - level.block_entries[block])),
          counts(level.counts + first_row) {}

    int64_t row_of(const HashWord& word, uint32_t place) const {
        return int64_t(word.row) + __builtin_popcountll(word.bits & ((uint64_t(1) << place) - 1));
    }
};

// Features whose slot holds a row: the feature's, or a neighbour's.
inline int64_t find_bits(const Block& block, const HashedFeatures& features, uint32_t* candidates) {
    int64_t found = 0;
    for (int64_t i = 0; i < features.n; ++i) {
        const uint32_t slot = features.hashes[i] >> block.shift;
        candidates[found] = uint32_t(i);
        found += int64_t(block.words[slot >> 6].bits >> (slot & 63) & 1);
    }
    return found;
}

// The row of a feature whose own slot holds another: in one of the next slots, or nowhere (-1).
template <class Key>
int64_t probe(const Block& block, const Key* keys, uint32_t hash, uint32_t& word_number) {
    uint32_t slot = hash >> block.shift;
    // A narrow key tells rows apart only as far as a row can be from its own slot.
    const uint32_t end = sizeof(Key) == 2 ? slot + kMaxNarrowProbe : ~0u;
    for (++slot; slot < end && slot >> 6 < block.n_words; ++slot) {
        const HashWord& word = block.words[slot >> 6];
        if ((word.bits >> (slot & 63) & 1) == 0) return -1;
        const int64_t row = block.row_of(word, slot & 63);
        if (row >= block.n_rows) return -1;
        word_number = slot >> 6;
        if (keys[row] == Key(hash)) return row;
    }
    return -1;
}

// Bounds are checked, so that no damage in a mapped file can make this read elsewhere.
template <class Key>
int64_t find_rows(const Block& block, const Key* keys, const HashedFeatures& features, int64_t n_candidates, const ScoreScratch& scratch) {
    int64_t found = 0;
    for (int64_t c = 0; c < n_candidates; ++c) {
        const uint32_t i = scratch.candidates[c];
        const uint32_t hash = features.hashes[i], slot = hash >> block.shift, place = slot & 63;
        const HashWord& word = block.words[slot >> 6];
        int64_t row = block.row_of(word, place);
        if (row >= block.n_rows) continue;
        uint32_t word_number = slot >> 6;
        bool match = keys[row] == Key(hash);
        const bool more = place == 63 || (word.bits >> place >> 1 & 1) != 0;
        if (!match & more) {
            row = probe(block, keys, hash, word_number);
            match = row >= 0;
        }
        scratch.hits[found] = {word_number, uint32_t(row), features.values[i]};
        found += match;
    }
    return found;
}

// Entries of the `before` rows from `first` on; a count is stored less one.
inline uint32_t entries_before(const Block& block, int64_t first, uint32_t before) {
    uint32_t total = before;
    if (first + int64_t((before + 7) & ~7u) > block.n_rows) {  // eight bytes at once would read past the block
        for (uint32_t row = 0; row < before; ++row) total += block.counts[first + row];
        return total;
    }
    constexpr uint64_t kEven = 0x00ff00ff00ff00ffull;
    for (uint32_t row = 0; row < before; row += 8) {
        uint64_t eight;
        __builtin_memcpy(&eight, block.counts + first + row, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        eight = __builtin_bswap64(eight);
#endif
        if (before - row < 8) eight &= (uint64_t(1) << (8 * (before - row))) - 1;
        const uint64_t pairs = (eight & kEven) + (eight >> 8 & kEven);
        total += uint32_t(pairs * 0x0001000100010001ull >> 48);
    }
    return total;
}

inline int64_t find_entries(const Block& block, int64_t n_hits, Hit* hits) {
    int64_t found = 0;
    for (int64_t h = 0; h < n_hits; ++h) {
        const HashWord& word = block.words[hits[h].entry];
        const uint32_t row = hits[h].count, before = row - word.row;
        if (before >= 64) continue;
        const uint64_t entry = uint64_t(word.entry) + entries_before(block, word.row, before);
        const uint32_t count = uint32_t(block.counts[row]) + 1;
        hits[found] = {uint32_t(entry), count, hits[h].value};
        found += entry + count <= block.n_entries;
    }
    return found;
}

template <Precision precision>
inline float weight_of(const uint8_t* record) {
    float weight;
    if constexpr (precision == Precision::int8) {
        weight = float(int8_t(record[1]));
    } else if constexpr (precision == Precision::bf16) {
        const uint32_t bits = uint32_t(record[1]) << 16 | uint32_t(record[2]) << 24;
        __builtin_memcpy(&weight, &bits, 4);
    } else {
        __builtin_memcpy(&weight, record + 1, 4);
    }
    return weight;
}

template <Precision precision>
void accumulate(const uint8_t* entries, const Hit* hits, int64_t n_hits, float* sums) {
    constexpr int kBytes = precision == Precision::int8 ? 2 : precision == Precision::bf16 ? 3 : 5;
    for (const Hit* hit = hits; hit != hits + n_hits; ++hit) {
        const uint8_t* record = entries + int64_t(hit->entry) * kBytes;
        const uint8_t* const last = record + int64_t(hit->count) * kBytes;
        for (; record != last; record += kBytes) sums[record[0]] += hit->value * weight_of<precision>(record);
    }
}

template <class Key>
int64_t find_all(const PackedLevel& level, const Block& block, const HashedFeatures& features, const ScoreScratch& scratch) {
    const Key* const keys = static_cast<const Key*>(level.keys) + block.first_row;
    const int64_t n_candidates = find_bits(block, features, scratch.candidates);
    const int64_t n_hits = find_rows(block, keys, features, n_candidates, scratch);
    return find_entries(block, n_hits, scratch.hits);
}

void score_block(const PackedLevel& level, int64_t number, const HashedFeatures& features, const ScoreScratch& scratch, float* margins) {
    const int64_t first = level.block_begin[number];
    const int64_t n_children = level.block_begin[number + 1] - first;
    float sums[256];
    for (int64_t child = 0; child < n_children; ++child) sums[child] = 0.0f;
    if (level.block_words[number + 1] > level.block_words[number]) {
        const Block block(level, number);
        const int64_t n_hits = level.wide_keys ? find_all<uint32_t>(level, block, features, scratch)
                                               : find_all<uint16_t>(level, block, features, scratch);
        const uint8_t* const entries = level.entries + level.block_entries[number] * entry_bytes(level.precision);
        switch (level.precision) {
            case Precision::int8: accumulate<Precision::int8>(entries, scratch.hits, n_hits, sums); break;
            case Precision::bf16: accumulate<Precision::bf16>(entries, scratch.hits, n_hits, sums); break;
            case Precision::fp32: accumulate<Precision::fp32>(entries, scratch.hits, n_hits, sums); break;
        }
    }
    for (int64_t child = 0; child < n_children; ++child)
        margins[child] = sums[child] * level.scale[first + child] + level.bias[first + child];
}

inline Floats log_scores(Transform transform, Floats margin) {
    const Floats zero{};
    if (transform == Transform::sigmoid) return margin < zero ? margin : zero;  // never less than the true one
    const Floats lack = margin < 1.0f ? 1.0f - margin : zero;
    switch (transform) {
        case Transform::hinge1: return -lack;
        case Transform::hinge2: return -lack * lack;
        case Transform::hinge4: return -(lack * lack) * (lack * lack);
        default: return -lack * lack * lack;
    }
}

int choose_children(float* margins, int n, float above, Transform transform, float worst, uint8_t* chosen) {
    int found = 0;
    for (int first = 0; first < n; first += kLanes) {
        Floats margin = load(margins + first);
        margin = margin == margin ? margin : Floats{} + kNever;
        store(margins + first, margin);
        const Floats score = above + log_scores(transform, margin);
        uint32_t good = to_mask(score >= worst);
        if (n - first < kLanes) good &= (1u << (n - first)) - 1;
        for (; good != 0; good &= good - 1) chosen[found++] = uint8_t(first + __builtin_ctz(good));
    }
    return found;
}

}  // namespace

ScoreKernels score_kernels() { return {&score_block, &choose_children}; }

}  // namespace ramify::RAMIFY_ISA_NAMESPACE
