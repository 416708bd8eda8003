#include "text_stems.hpp"

#include "text_corpus.hpp"

namespace ramify {

namespace {

constexpr int64_t kChunkCharacters = 1 << 16;

template <class Unit>
void append_units(const void* data, int64_t length, std::vector<uint32_t>& out) {
    const Unit* units = static_cast<const Unit*>(data);
    out.assign(units, units + length);
}

void copy_codes(const TextView& text, std::vector<uint32_t>& out) {
    if (text.width == 1) append_units<uint8_t>(text.data, text.length, out);
    if (text.width == 2) append_units<uint16_t>(text.data, text.length, out);
    if (text.width == 4) append_units<uint32_t>(text.data, text.length, out);
}

}  // namespace

std::pair<uint32_t, bool> HashIndex::insert(uint64_t hash) {
    const uint32_t known = find(hash);
    if (known != kNone) return {known, false};
    if (2 * (hashes_.size() + 1) > slots_.size()) grow();
    uint64_t at = hash & mask_;
    while (slots_[at] != 0) at = (at + 1) & mask_;
    hashes_.push_back(hash);
    slots_[at] = uint32_t(hashes_.size());
    return {slots_[at] - 1, true};
}

void HashIndex::grow() {
    slots_.assign(2 * slots_.size(), 0);
    mask_ = slots_.size() - 1;
    for (uint32_t number = 0; number < hashes_.size(); ++number) {
        uint64_t at = hashes_[number] & mask_;
        while (slots_[at] != 0) at = (at + 1) & mask_;
        slots_[at] = number + 1;
    }
}

uint64_t hash_word(std::span<const uint32_t> codes) {
    uint64_t hash = kWordSeed;
    for (const uint32_t code : codes) hash = hash_step(hash, code);
    return hash_finish(hash);
}

StemTable::StemTable(const std::vector<TextView>& words, const std::vector<TextView>& stems) {
    std::vector<uint32_t> codes;
    for (size_t i = 0; i < words.size(); ++i) {
        copy_codes(words[i], codes);
        if (!words_.insert(hash_word(codes)).second) continue;
        copy_codes(stems[i], codes);
        stem_hashes_.push_back(hash_word(codes));
        stems_.add(codes);
    }
}

void WordCounts::add(uint64_t hash, std::span<const uint32_t> codes, int64_t count) {
    const auto [number, is_new] = index.insert(hash);
    if (is_new) {
        words.add(codes);
        counts.push_back(0);
    }
    counts[number] += count;
}

WordCounts words_without_stem(const std::vector<TextView>& texts, const GramSettings& settings, const uint32_t* table,
                              int threads, Monitor* monitor) {
    const std::vector<TextSpan> spans = split_texts(texts, kChunkCharacters);
    std::vector<GramReader> readers;
    for (int worker = 0; worker < threads; ++worker) readers.emplace_back(settings, table);
    std::vector<WordCounts> found(threads);
    std::vector<std::vector<uint32_t>> codes(threads);
    auto read_chunk = [&](int64_t chunk, int worker) {
        for (int64_t text = spans[chunk].first; text < spans[chunk].last; ++text)
            readers[worker].collect_words(texts[text], found[worker], codes[worker]);
    };
    parallel_for(int64_t(spans.size()), threads, read_chunk, monitor);
    for (int worker = 1; worker < threads; ++worker) {
        const WordCounts& more = found[worker];
        for (size_t i = 0; i < more.counts.size(); ++i) found[0].add(more.index.hashes()[i], more.words[i], more.counts[i]);
        found[worker] = WordCounts{};
    }
    return std::move(found[0]);
}

}  // namespace ramify
