#include "beam.hpp"

#include <algorithm>
#include <cmath>

#include "copies.hpp"
#include "open_block.hpp"
#include "path_scores.hpp"

namespace ramify {
namespace {

constexpr int64_t kMaxChunkBytes = int64_t(1) << 26;  // per thread

struct Visit {
    int32_t block;
    int32_t document;  // within the chunk
    float score;       // of the parent
};

// Maximum number of nodes per level that are scored for a document.
std::vector<int64_t> most_scored(const SearchModel& model, int beam) {
    std::vector<int64_t> most;
    int64_t reached = 1;
    for (const PackedLevel& level : model.levels) {
        int64_t widest = 1;
        for (int64_t parent = 0; parent < level.n_parents; ++parent)
            widest = std::max(widest, level.end_child(parent) - level.first_child(parent));
        most.push_back(std::min(level.n_nodes, widest * reached));
        reached = std::min<int64_t>(beam, most.back());
    }
    return most;
}

bool merges(const SearchModel& model, const SearchOptions& options) {
    return model.max_copies > 1 && options.copies != Copies::max;
}

// Leaves kept per document: all that are reached if copies are merged.
int64_t leaves_to_keep(const SearchModel& model, const SearchOptions& options, int64_t most) {
    return merges(model, options) ? most : int64_t(options.k) * model.max_copies;
}

// Capacity for the best `limit` of a stream of at most `offers`: collected to twice the limit, then cut back.
int64_t room_for(int64_t limit, int64_t offers) { return std::min(2 * limit + 16, offers); }

}  // namespace

// Searches a chunk of documents level by level. The blocks of a level are visited in their order, so a block is
// loaded once for all documents of the chunk that reach it.
class ChunkSearch {
public:
    explicit ChunkSearch(const SearchModel& model) : model_(model), kernels_(score_kernels_for(detect_isa())) {}

    void run(const FeatureView& X, int64_t first, int64_t last, const SearchOptions& options, const Forbidden& forbidden,
             int32_t* labels, float* scores) {
        start(X, first, last, options, forbidden);
        const size_t bottom = model_.levels.size() - 1;
        for (size_t level = 0; level <= bottom; ++level) {
            start_level(level, level == bottom ? leaves_to_keep(model_, options, most_[level]) : options.beam);
            score_level(level);
            if (level < bottom) advance(level + 1 == bottom);
        }
        for (size_t i = 0; i < n_; ++i) finish(i, labels + (first + int64_t(i)) * options.k, scores + (first + int64_t(i)) * options.k);
    }

private:
    struct Kept {
        int64_t n;
        float worst;  // lowest score that could still be among the best
    };

    void start(const FeatureView& X, int64_t first, int64_t last, const SearchOptions& options, const Forbidden& forbidden) {
        n_ = size_t(last - first);
        X_ = X;
        first_ = first;
        forbidden_ = forbidden;
        if (most_.empty() || options.beam != options_.beam) most_ = most_scored(model_, options.beam);
        options_ = options;
        const int64_t begin = X.begin(first), n_features = X.end(last - 1) - begin;
        hashes_.resize(size_t(n_features));
        hash_features(X.indices + begin, n_features, model_.levels[0].hash_bits, hashes_.data());
        beam_.assign(n_, {0, 0.0f});
        beam_begin_.resize(n_ + 1);
        for (size_t i = 0; i <= n_; ++i) beam_begin_[i] = int64_t(i);
    }

    HashedFeatures document(size_t i) const {
        const int64_t at = X_.begin(first_ + int64_t(i));
        return {hashes_.data() + (at - X_.begin(first_)), X_.data + at, X_.length(first_ + int64_t(i))};
    }

    void start_level(size_t number, int64_t limit) {
        limit_ = limit;
        room_ = room_for(limit, most_[number]);
        kept_.assign(n_, {0, kNever});
        if (int64_t(candidates_.size()) < room_ * int64_t(n_)) candidates_.resize(size_t(room_) * n_);
        list_visits(model_.levels[number]);
    }

    void list_visits(const PackedLevel& level) {
        visits_.clear();
        for (size_t i = 0; i < n_; ++i)
            for (int64_t at = beam_begin_[i]; at < beam_begin_[i + 1]; ++at) {
                const BeamNode& node = beam_[size_t(at)];
                for (int64_t block = level.parent_blocks[node.node]; block < level.parent_blocks[node.node + 1]; ++block)
                    visits_.push_back({int32_t(block), int32_t(i), node.score});
            }
        if (n_ > 1) return sort_visits(size_t(level.n_blocks));
        // A single document visits its best blocks first, unless sums over copies must have the same bits as in a batch.
        if (merges(model_, options_))
            std::sort(visits_.begin(), visits_.end(), [](const Visit& a, const Visit& b) { return a.block < b.block; });
    }

    // By block; documents stay in order.
    void sort_visits(size_t n_blocks) {
        places_.assign(n_blocks + 1, 0);
        for (const Visit& visit : visits_) ++places_[size_t(visit.block) + 1];
        for (size_t block = 0; block < n_blocks; ++block) places_[block + 1] += places_[block];
        sorted_.resize(visits_.size());
        for (const Visit& visit : visits_) sorted_[places_[size_t(visit.block)]++] = visit;
        visits_.swap(sorted_);
    }

    void score_level(size_t number) {
        const PackedLevel& level = model_.levels[number];
        for (size_t at = 0, end = 0; at < visits_.size(); at = end) {
            const int32_t block = visits_[at].block;
            int64_t n_features = 0;
            for (; end < visits_.size() && visits_[end].block == block; ++end) n_features += length(visits_[end]);
            const bool pays = end - at > 1 && opening_pays(level, block, n_features);
            const OpenBlock* const open = pays ? &opener_.open(level, block) : nullptr;
            for (; at < end; at += kDenseGroup) score_group(number, at, std::min(end, at + kDenseGroup), open);
        }
    }

    // Visits of the same block.
    void score_group(size_t number, size_t first, size_t last, const OpenBlock* open) {
        const bool dense = X_.n_dense != 0;
        if (dense) multiply_dense(model_.levels[number], first, last);
        for (size_t at = first; at < last; ++at)
            score_visit(number, visits_[at], open, dense ? dense_sums_ + (at - first) * 256 : nullptr);
    }

    void multiply_dense(const PackedLevel& level, size_t first, size_t last) {
        DenseGroup group{{}, int(last - first)};
        for (size_t at = first; at < last; ++at) group.values[at - first] = X_.dense_row(first_ + visits_[at].document);
        kernels_.multiply(level, visits_[first].block, group, dense_sums_);
    }

    int64_t length(const Visit& visit) const { return X_.length(first_ + visit.document); }

    void score_visit(size_t number, const Visit& visit, const OpenBlock* open, const float* dense_sums) {
        const PackedLevel& level = model_.levels[number];
        const uint8_t* const allowed = model_.allowed[number];
        const bool bottom = number + 1 == model_.levels.size();
        const auto i = size_t(visit.document);
        const HashedFeatures features = document(i);
        const int64_t first = level.block_begin[visit.block];
        const auto n_children = int(level.block_begin[visit.block + 1] - first);
        const DenseProducts dense{dense_sums, X_.scale_of(first_ + visit.document)};
        kernels_.score(level, visit.block, open, features, dense, room_of_scores_.of(features.n), margins_);
        const int n_chosen = kernels_.choose(margins_, n_children, visit.score, options_.transform, kept_[i].worst, chosen_);
        for (const uint8_t* child = chosen_; child != chosen_ + n_chosen; ++child) {
            const auto node = int32_t(first + *child);
            if ((allowed != nullptr && allowed[node] == 0) || (bottom && is_forbidden(i, node))) continue;
            const float margin = margins_[*child];
            const float score = visit.score + log_score(options_.transform, margin);
            offer(i, {bottom ? with_bias(score, model_, node) : score, margin, node});
        }
    }

    bool is_forbidden(size_t i, int32_t leaf) const {
        if (forbidden_.indptr == nullptr) return false;
        const int64_t* const pointer = forbidden_.indptr + first_ + int64_t(i);
        return std::binary_search(forbidden_.labels + pointer[0], forbidden_.labels + pointer[1], model_.leaf_labels[leaf]);
    }

    Candidate* candidates(size_t i) { return candidates_.data() + int64_t(i) * room_; }

    void offer(size_t i, const Candidate& candidate) {
        Kept& kept = kept_[i];
        if (candidate.score < kept.worst) return;
        Candidate* const all = candidates(i);
        if (kept.n == room_) {
            std::nth_element(all, all + limit_ - 1, all + kept.n, better);
            kept = {limit_, all[limit_ - 1].score};
        }
        all[kept.n++] = candidate;
    }

    // The best of a document, in descending order; returns their number.
    int64_t sort_best(size_t i) {
        Candidate* const all = candidates(i);
        const int64_t n = std::min(limit_, kept_[i].n);
        std::partial_sort(all, all + n, all + kept_[i].n, better);
        return n;
    }

    void advance(bool to_leaves) {
        beam_.clear();
        for (size_t i = 0; i < n_; ++i) {
            beam_begin_[i] = int64_t(beam_.size());
            const int64_t n = sort_best(i);
            for (const Candidate* one = candidates(i); one != candidates(i) + n; ++one) {
                const float score = to_leaves ? weighted(one->score, options_) : one->score;
                beam_.push_back({one->node, score});
            }
        }
        beam_begin_[n_] = int64_t(beam_.size());
    }

    void finish(size_t i, int32_t* labels, float* scores) {
        int found = 0;
        if (merges(model_, options_)) {
            kept_[i].n = merger_.merge(candidates(i), kept_[i].n, model_, options_.copies);
            limit_ = options_.k;
        }
        const int64_t n = sort_best(i);
        for (const Candidate* kept = candidates(i); kept != candidates(i) + n && found < options_.k; ++kept) {
            const int32_t label = model_.leaf_labels[kept->node];
            // Copies of a label: only the best one is kept.
            if (model_.max_copies > 1 && std::find(labels, labels + found, label) != labels + found) continue;
            labels[found] = label;
            scores[found++] = options_.log_scores ? kept->score : std::exp(kept->score);
        }
        std::fill(labels + found, labels + options_.k, -1);
        std::fill(scores + found, scores + options_.k, kNever);
    }

    const SearchModel& model_;
    const ScoreKernels kernels_;
    SearchOptions options_;
    FeatureView X_;
    Forbidden forbidden_;
    int64_t first_ = 0, limit_ = 1, room_ = 1;
    size_t n_ = 0;
    std::vector<int64_t> most_;
    std::vector<uint32_t> hashes_;
    std::vector<BeamNode> beam_;
    std::vector<int64_t> beam_begin_;
    std::vector<Visit> visits_, sorted_;
    std::vector<size_t> places_;
    std::vector<Kept> kept_;
    std::vector<Candidate> candidates_;
    ScoreRoom room_of_scores_;
    BlockOpener opener_;
    CopyMerger merger_;
    float margins_[256] = {};
    alignas(64) float dense_sums_[kDenseGroup * 256];
    uint8_t chosen_[256];
};

namespace {

// Documents of a chunk share the loading and expansion of blocks, so there are as few chunks as memory permits, the same
// number for every thread.
int64_t chunk_size(const SearchModel& model, int64_t n, const SearchOptions& options) {
    if (n < 16) return 1;
    int64_t bytes = 64;
    const std::vector<int64_t> most = most_scored(model, options.beam);
    for (size_t level = 0; level < most.size(); ++level) {
        const int64_t limit = level + 1 == most.size() ? leaves_to_keep(model, options, most[level]) : options.beam;
        bytes = std::max(bytes, room_for(limit, most[level]) * int64_t(sizeof(Candidate)));
    }
    const int64_t most_documents = std::clamp<int64_t>(kMaxChunkBytes / bytes, 1, 4096) * options.threads;
    const int64_t chunks = (n + most_documents - 1) / most_documents * options.threads;
    return (n + chunks - 1) / chunks;
}

}  // namespace

void beam_search(const SearchModel& model, const FeatureView& X, const SearchOptions& options, const Forbidden& forbidden,
                 int32_t* labels, float* scores, Monitor* monitor) {
    const int64_t size = chunk_size(model, X.rows, options);
    std::vector<std::unique_ptr<ChunkSearch>> searches(static_cast<size_t>(options.threads));
    parallel_for(
        (X.rows + size - 1) / size, options.threads,
        [&](int64_t chunk, int worker) {
            auto& search = searches[size_t(worker)];
            if (search == nullptr) search = std::make_unique<ChunkSearch>(model);
            search->run(X, chunk * size, std::min(X.rows, (chunk + 1) * size), options, forbidden, labels, scores);
        },
        monitor);
}

SingleSearches::SingleSearches(const SearchModel& model) : model_(model) {}
SingleSearches::~SingleSearches() = default;

void SingleSearches::search(const FeatureView& X, const SearchOptions& options, int32_t* labels, float* scores) {
    std::unique_ptr<ChunkSearch> search = take();
    search->run(X, 0, 1, options, {}, labels, scores);
    give_back(std::move(search));
}

std::unique_ptr<ChunkSearch> SingleSearches::take() {
    {
        const std::lock_guard<std::mutex> lock(guard_);
        if (!idle_.empty()) {
            std::unique_ptr<ChunkSearch> search = std::move(idle_.back());
            idle_.pop_back();
            return search;
        }
    }
    return std::make_unique<ChunkSearch>(model_);
}

void SingleSearches::give_back(std::unique_ptr<ChunkSearch> search) {
    const std::lock_guard<std::mutex> lock(guard_);
    idle_.push_back(std::move(search));
}

}  // namespace ramify
