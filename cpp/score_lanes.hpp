// The body of block_scores.hpp, compiled once per instruction set: see lanes.hpp.
//
// A block is looked up in three passes over the document, each with few branches that depend on the data: features
// whose bit is set, those of them whose key matches, and the positions of the entries of their rows. A pass with a
// branch per feature would mispredict about a third of them. Each pass prefetches the data of the next one, so that many
// memory accesses overlap.
#include "block_scores.hpp"
#include "lanes.hpp"

namespace ramify::RAMIFY_ISA_NAMESPACE {
namespace {

constexpr float kNever = -__builtin_inff();

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

// Features whose slot has a row: that of the feature, or of a neighbour.
inline int64_t find_bits(const Block& block, const HashedFeatures& features, uint32_t* candidates) {
    int64_t found = 0;
    for (int64_t i = 0; i < features.n; ++i) {
        const uint32_t slot = features.hashes[i] >> block.shift;
        candidates[found] = uint32_t(i);
        found += int64_t(block.words[slot >> 6].bits >> (slot & 63) & 1);
    }
    return found;
}

// The row of a feature whose own slot has another row: in one of the next slots, or -1.
template <class Key>
int64_t probe(const Block& block, const Key* keys, uint32_t hash, uint32_t& word_number) {
    uint32_t slot = hash >> block.shift;
    // A narrow key distinguishes rows only within the maximum distance of a row from its slot.
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

// If a slot is one hash wide, its row is that of the feature: the key is not read.
template <class Key>
bool is_row(const Block& block, const Key* keys, uint32_t hash, int64_t& row, uint32_t& word_number) {
    if (block.shift == 0) return true;
    const uint32_t place = hash >> block.shift & 63;
    const bool match = keys[row] == Key(hash);
    const bool more = place == 63 || (block.words[word_number].bits >> place >> 1 & 1) != 0;
    if (match | !more) return match;
    row = probe(block, keys, hash, word_number);
    return row >= 0;
}

// Bounds are checked, because a mapped file may be damaged.
template <class Key>
int64_t find_rows(const Block& block, const Key* keys, const OpenBlock* open, const HashedFeatures& features, int64_t n_candidates, const ScoreScratch& scratch) {
    int64_t found = 0;
    for (int64_t c = 0; c < n_candidates; ++c) {
        const uint32_t i = scratch.candidates[c];
        const uint32_t hash = features.hashes[i], slot = hash >> block.shift;
        uint32_t word_number = slot >> 6;
        int64_t row = block.row_of(block.words[word_number], slot & 63);
        if (row >= block.n_rows) continue;
        const bool match = is_row(block, keys, hash, row, word_number);
        if (open != nullptr)
            __builtin_prefetch(open->rows + row);
        else
            __builtin_prefetch(block.counts + block.words[word_number].row);
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

template <int kBytes>
inline int64_t find_entries(const Block& block, const uint8_t* entries, int64_t n_hits, Hit* hits) {
    int64_t found = 0;
    for (int64_t h = 0; h < n_hits; ++h) {
        const HashWord& word = block.words[hits[h].entry];
        const uint32_t row = hits[h].count, before = row - word.row;
        if (before >= 64) continue;
        const uint64_t entry = uint64_t(word.entry) + entries_before(block, word.row, before);
        const uint32_t count = uint32_t(block.counts[row]) + 1;
        __builtin_prefetch(entries + int64_t(entry) * kBytes);
        __builtin_prefetch(entries + int64_t(entry + count - 1) * kBytes);
        hits[found] = {uint32_t(entry), count, hits[h].value};
        found += entry + count <= block.n_entries;
    }
    return found;
}

// Sums over dense rows and over the others.
struct Sums {
    float dense[256], sparse[256];
};

template <Precision precision>
inline void add_entries(const uint8_t* record, uint32_t count, float value, float* sums) {
    constexpr int kBytes = entry_bytes(precision);
    const uint8_t* const last = record + int64_t(count) * kBytes;
    for (; record != last; record += kBytes) sums[record[0]] += value * stored_weight<precision>(record);
}

template <Precision precision>
void accumulate(const uint8_t* entries, const Hit* hits, int64_t n_hits, int64_t n_children, Sums& sums) {
    constexpr int kBytes = entry_bytes(precision);
    for (const Hit* hit = hits; hit != hits + n_hits; ++hit)
        add_entries<precision>(entries + int64_t(hit->entry) * kBytes, hit->count, hit->value,
                               is_dense(hit->count, n_children) ? sums.dense : sums.sparse);
}

inline Floats load_numbers(const float* p) { return load(p); }
inline Floats load_numbers(const int8_t* p) {
#if RAMIFY_LANES == 16 && defined(__AVX512F__)
    return (Floats)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#elif RAMIFY_LANES == 8 && defined(__AVX2__)
    return (Floats)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#else
    Floats numbers;
    for (int lane = 0; lane < kLanes; ++lane) numbers[lane] = float(p[lane]);
    return numbers;
#endif
}

inline Floats load_numbers(const uint16_t* p) {  // bf16
#if RAMIFY_LANES == 16 && defined(__AVX512F__)
    return (Floats)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))), 16);
#elif RAMIFY_LANES == 8 && defined(__AVX2__)
    return (Floats)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))), 16);
#else
    Ints bits;
    for (int lane = 0; lane < kLanes; ++lane) bits[lane] = int32_t(uint32_t(p[lane]) << 16);
    return (Floats)bits;
#endif
}

// The sums of kDocuments documents and kParts * kLanes children, all in registers. Each sum adds its columns in order, so
// its bits do not depend on the tile.
template <int kDocuments, int kParts, class Number>
void multiply_tile(const Number* weights, int64_t first_child, int64_t n_dense, const float* const* values, float* sums) {
    const Number* parts[kParts];
    for (int part = 0; part < kParts; ++part) {
        const int64_t child = first_child + part * kLanes;
        parts[part] = weights + child / kPanel * kPanel * n_dense + child % kPanel;
    }
    Floats tile[kDocuments][kParts] = {};
    for (int64_t column = 0; column < n_dense; ++column) {
        Floats row[kParts];
        for (int part = 0; part < kParts; ++part) row[part] = load_numbers(parts[part] + column * kPanel);
        for (int document = 0; document < kDocuments; ++document)
            for (int part = 0; part < kParts; ++part) tile[document][part] += values[document][column] * row[part];
    }
    for (int document = 0; document < kDocuments; ++document)
        for (int part = 0; part < kParts; ++part)
            store(sums + document * 256 + first_child + part * kLanes, tile[document][part]);
}

template <int kDocuments, int kParts, class Number>
void multiply_documents(const Number* weights, int64_t n_children, int64_t n_dense, const float* const* values, float* sums) {
    int64_t child = 0;
    for (; n_children - child >= kParts * kLanes; child += kParts * kLanes)
        multiply_tile<kDocuments, kParts>(weights, child, n_dense, values, sums);
    for (; child < n_children; child += kLanes) multiply_tile<kDocuments, 1>(weights, child, n_dense, values, sums);
}

template <class Number>
void multiply_block(const Number* weights, int64_t n_children, int64_t n_dense, const DenseGroup& documents, float* sums) {
    constexpr int kTile = kLanes == 16 ? 8 : 4;  // with two parts, half of the registers
    int first = 0;
    for (; documents.n - first >= kTile; first += kTile)
        multiply_documents<kTile, 2>(weights, n_children, n_dense, documents.values + first, sums + first * 256);
    for (; documents.n - first >= 2; first += 2)
        multiply_documents<2, 4>(weights, n_children, n_dense, documents.values + first, sums + first * 256);
    if (first < documents.n)
        multiply_documents<1, 4>(weights, n_children, n_dense, documents.values + first, sums + first * 256);
}

void multiply_dense(const PackedLevel& level, int64_t block, const DenseGroup& documents, float* sums) {
    const int64_t n = level.block_begin[block + 1] - level.block_begin[block], first = level.block_dense[block];
    switch (level.precision) {
        case Precision::int8: return multiply_block(static_cast<const int8_t*>(level.dense) + first, n, level.n_dense, documents, sums);
        case Precision::bf16: return multiply_block(static_cast<const uint16_t*>(level.dense) + first, n, level.n_dense, documents, sums);
        case Precision::fp32: return multiply_block(static_cast<const float*>(level.dense) + first, n, level.n_dense, documents, sums);
    }
}

// 16 * kGroups children of dense rows, whose sums stay in registers.
template <int kGroups, class Number>
void add_dense_columns(const Number* dense, int64_t stride, const Hit* hits, int64_t n_hits, float* sums) {
    constexpr int kParts = 16 * kGroups / kLanes;
    Floats parts[kParts] = {};
    for (const Hit* hit = hits; hit != hits + n_hits; ++hit) {
        const Number* const row = dense + int64_t(hit->entry) * stride;
        for (int part = 0; part < kParts; ++part) parts[part] += hit->value * load_numbers(row + part * kLanes);
    }
    for (int part = 0; part < kParts; ++part) store(sums + part * kLanes, parts[part]);
}

template <class Number>
void add_dense(const OpenBlock& open, const Hit* hits, int64_t n_hits, float* sums) {
    const auto* const dense = static_cast<const Number*>(open.dense);
    int64_t first = 0;
    for (; open.stride - first >= 64; first += 64) add_dense_columns<4>(dense + first, open.stride, hits, n_hits, sums + first);
    switch ((open.stride - first) / 16) {
        case 3: add_dense_columns<3>(dense + first, open.stride, hits, n_hits, sums + first); break;
        case 2: add_dense_columns<2>(dense + first, open.stride, hits, n_hits, sums + first); break;
        case 1: add_dense_columns<1>(dense + first, open.stride, hits, n_hits, sums + first); break;
        default: break;
    }
}

// Of an expanded block: first all its rows are prefetched, then added, so that memory accesses overlap.
template <Precision precision, class Number>
void accumulate_open(const OpenBlock& open, const uint8_t* entries, const ScoreScratch& scratch, int64_t n_hits, Sums& sums) {
    constexpr int kBytes = entry_bytes(precision);
    Hit *const hits = scratch.hits, *const sparse = scratch.more_hits;
    int64_t n_dense = 0, n_sparse = 0;
    for (int64_t h = 0; h < n_hits; ++h) {
        const OpenRow row = open.rows[hits[h].count];
        const float value = hits[h].value;
        const bool dense = row.count == 0;
        __builtin_prefetch(dense ? static_cast<const void*>(static_cast<const Number*>(open.dense) + row.place * open.stride)
                                 : static_cast<const void*>(entries + int64_t(row.place) * kBytes));
        (dense ? hits[n_dense] : sparse[n_sparse]) = {row.place, row.count, value};
        n_dense += dense;
        n_sparse += !dense;
    }
    for (const Hit* hit = sparse; hit != sparse + n_sparse; ++hit)
        add_entries<precision>(entries + int64_t(hit->entry) * kBytes, hit->count, hit->value, sums.sparse);
    add_dense<Number>(open, hits, n_dense, sums.dense);
}

template <class Key>
int64_t find_hits(const PackedLevel& level, const Block& block, const OpenBlock* open, const HashedFeatures& features, const ScoreScratch& scratch) {
    const Key* const keys = static_cast<const Key*>(level.keys) + block.first_row;
    const int64_t n_candidates = find_bits(block, features, scratch.candidates);
    return find_rows(block, keys, open, features, n_candidates, scratch);
}

template <Precision precision, class Number>
void sum_hits(const Block& block, const OpenBlock* open, const uint8_t* entries, const ScoreScratch& scratch, int64_t n_hits, int64_t n_children, Sums& sums) {
    if (open != nullptr) return accumulate_open<precision, Number>(*open, entries, scratch, n_hits, sums);
    accumulate<precision>(entries, scratch.hits, find_entries<entry_bytes(precision)>(block, entries, n_hits, scratch.hits), n_children, sums);
}

void score_block(const PackedLevel& level, int64_t number, const OpenBlock* open, const HashedFeatures& features, const DenseProducts& dense, const ScoreScratch& scratch, float* margins) {
    const int64_t first = level.block_begin[number];
    const int64_t n_children = level.block_begin[number + 1] - first;
    Sums sums;
    for (int64_t child = 0; child < n_children; ++child) sums.dense[child] = sums.sparse[child] = 0.0f;
    if (level.block_words[number + 1] > level.block_words[number]) {
        const Block block(level, number);
        const int64_t n_hits = level.wide_keys ? find_hits<uint32_t>(level, block, open, features, scratch)
                                               : find_hits<uint16_t>(level, block, open, features, scratch);
        const uint8_t* const entries = level.entries + level.block_entries[number] * entry_bytes(level.precision);
        switch (level.precision) {
            case Precision::int8: sum_hits<Precision::int8, int8_t>(block, open, entries, scratch, n_hits, n_children, sums); break;
            case Precision::bf16: sum_hits<Precision::bf16, float>(block, open, entries, scratch, n_hits, n_children, sums); break;
            case Precision::fp32: sum_hits<Precision::fp32, float>(block, open, entries, scratch, n_hits, n_children, sums); break;
        }
    }
    for (int64_t child = 0; child < n_children; ++child)
        margins[child] = (sums.dense[child] + sums.sparse[child]) * level.scale[first + child] + level.bias[first + child];
    if (dense.sums == nullptr) return;
    for (int64_t child = 0; child < n_children; ++child)
        margins[child] += dense.sums[child] * (level.dense_scale[first + child] * dense.scale);
}

inline Floats log_scores(Transform transform, Floats margin) {
    const Floats zero{};
    if (transform == Transform::sigmoid) return margin < zero ? margin : zero;  // an upper bound
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

ScoreKernels score_kernels() { return {&score_block, &multiply_dense, &choose_children}; }

}  // namespace ramify::RAMIFY_ISA_NAMESPACE
