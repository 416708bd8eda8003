#include "text_corpus.hpp"

#include <algorithm>
#include <stdexcept>

namespace ramify {

namespace {

constexpr int64_t kChunkCharacters = 1 << 15;
constexpr size_t kBlockChunks = 32;  // pending entries then stay in the caches
constexpr size_t kPrefetchDistance = 8;

int part_of(uint64_t hash) { return int(hash >> (64 - kPartBits)); }

}  // namespace

std::vector<TextSpan> split_texts(const std::vector<TextView>& texts, int64_t characters) {
    std::vector<TextSpan> spans;
    int64_t size = 0;
    for (int64_t i = 0; i < int64_t(texts.size()); ++i) {
        if (spans.empty() || size >= characters) {
            spans.push_back({i, i});
            size = 0;
        }
        spans.back().last = i + 1;
        size += texts[i].length + 16;  // 16: cost of an empty text
    }
    return spans;
}

uint32_t TermPart::number_of(uint64_t hash) {
    if (2 * terms.size() >= slots_.size()) grow();
    const uint64_t mask = slots_.size() - 1;
    uint64_t at = hash & mask;
    for (; slots_[at] != 0; at = (at + 1) & mask)
        if (terms[slots_[at] - 1].hash == hash) return slots_[at] - 1;
    if (terms.size() >= (size_t(1) << kTermBits)) throw std::length_error("more than four billion distinct n-grams");
    terms.push_back({hash, 0, 0, 0, 0, 0});
    slots_[at] = uint32_t(terms.size());
    return slots_[at] - 1;
}

void TermPart::grow() {
    slots_.assign(2 * slots_.size(), 0);
    const uint64_t mask = slots_.size() - 1;
    for (uint32_t number = 0; number < terms.size(); ++number) {
        uint64_t at = terms[number].hash & mask;
        while (slots_[at] != 0) at = (at + 1) & mask;
        slots_[at] = number + 1;
    }
}

void Corpus::read_chunk(CountedChunk& chunk, PendingChunk& pending, GramReader& reader) const {
    pending.read.clear();
    chunk.row_ends.reserve(chunk.span.last - chunk.span.first);
    for (int64_t i = chunk.span.first; i < chunk.span.last; ++i) {
        for (const Gram& gram : reader.read(texts_[i]))
            pending.read.push_back({gram.hash, gram.position, gram.count, uint32_t(pending.read.size()), gram.tag});
        chunk.row_ends.push_back(uint32_t(pending.read.size()));
    }
    sort_by_part(pending);
}

void Corpus::sort_by_part(PendingChunk& pending) const {
    pending.begin.fill(0);
    for (const Pending& entry : pending.read) ++pending.begin[part_of(entry.hash) + 1];
    for (int part = 0; part < kParts; ++part) pending.begin[part + 1] += pending.begin[part];
    auto next = pending.begin;
    pending.by_part.resize(pending.read.size());
    for (const Pending& entry : pending.read) pending.by_part[next[part_of(entry.hash)]++] = entry;
}

void Corpus::absorb(int part, const PendingChunk& pending, CountedChunk& chunk, bool keep_rows) {
    TermPart& home = parts_[part];
    const size_t end = pending.begin[part + 1];
    for (size_t i = pending.begin[part]; i < end; ++i) {
        home.prefetch_slot(pending.by_part[std::min(i + 2 * kPrefetchDistance, end - 1)].hash);
        home.prefetch_term(pending.by_part[std::min(i + kPrefetchDistance, end - 1)].hash);
        const Pending& entry = pending.by_part[i];
        const uint32_t number = home.number_of(entry.hash);
        Term& term = home.terms[number];
        if (term.documents == 0) {
            const auto row = std::upper_bound(chunk.row_ends.begin(), chunk.row_ends.end(), entry.entry);
            term.text = uint32_t(chunk.span.first + (row - chunk.row_ends.begin()));
            term.position = entry.position;
            term.tag = entry.tag;
        }
        ++term.documents;
        term.frequency += entry.count;
        if (!keep_rows) continue;
        chunk.terms[entry.entry] = (uint32_t(part) << kTermBits) | number;
        chunk.counts[entry.entry] = entry.count;
    }
}

void Corpus::count(bool keep_rows, int threads, Monitor* monitor) {
    for (const TextSpan& span : split_texts(texts_, kChunkCharacters)) chunks_.push_back({span, {}, {}, {}});
    std::vector<PendingChunk> pending(std::min(kBlockChunks, chunks_.size()));
    std::vector<GramReader> readers;
    for (int worker = 0; worker < threads; ++worker) readers.emplace_back(settings_, table_);
    for (size_t begin = 0; begin < chunks_.size(); begin += kBlockChunks) {
        const size_t n_chunks = std::min(kBlockChunks, chunks_.size() - begin);
        auto read = [&](int64_t i, int worker) {
            CountedChunk& chunk = chunks_[begin + i];
            read_chunk(chunk, pending[i], readers[worker]);
            if (!keep_rows) return;
            chunk.terms.resize(pending[i].read.size());
            chunk.counts.resize(pending[i].read.size());
        };
        parallel_for(int64_t(n_chunks), threads, read, monitor);
        auto absorb_part = [&](int64_t part, int) {
            for (size_t i = 0; i < n_chunks; ++i) absorb(int(part), pending[i], chunks_[begin + i], keep_rows);
        };
        parallel_for(kParts, threads, absorb_part);
    }
}

void Corpus::release_terms() { std::vector<TermPart>().swap(parts_); }

std::vector<int64_t> Corpus::part_sizes() const {
    std::vector<int64_t> sizes;
    for (const TermPart& part : parts_) sizes.push_back(int64_t(part.terms.size()));
    return sizes;
}

}  // namespace ramify
