#include "beam.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "block_scores.hpp"

namespace ramify {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

inline float log_score(Transform transform, float margin) {
    if (transform == Transform::sigmoid)
        return margin > 0.0f ? -std::log1p(std::exp(-margin)) : margin - std::log1p(std::exp(margin));
    const float lack = margin < 1.0f ? 1.0f - margin : 0.0f;
    switch (transform) {
        case Transform::hinge1: return -lack;
        case Transform::hinge2: return -lack * lack;
        case Transform::hinge4: return -(lack * lack) * (lack * lack);
        default: return -lack * lack * lack;
    }
}

// What the path above a leaf counts beside the leaf's own score; 0 times -inf would be NaN.
inline float weighted(float path, const SearchOptions& options) {
    return options.path_weight == 0.0f ? 0.0f : options.path_weight * path;
}

// Huge features and damaged weights can give NaN, by which nothing can be sorted: it counts as the worst margin.
inline float ordered(float margin) { return margin == margin ? margin : kNever; }

struct Candidate {
    float score;  // log of the path's score so far
    float margin;
    int32_t node;
};

inline bool better(const Candidate& a, const Candidate& b) {
    if (a.score != b.score) return a.score > b.score;
    return a.margin != b.margin ? a.margin > b.margin : a.node < b.node;
}

// Keeps the best few of a stream: collects to twice the limit, then cuts back.
class Best {
public:
    void start(size_t limit) {
        limit_ = limit;
        worst_ = kNever;
        kept_.clear();
    }

    void offer(float score, float margin, int32_t node) {
        if (score < worst_) return;
        kept_.push_back({score, margin, node});
        if (kept_.size() >= 2 * limit_ + 16) cut();
    }

    std::vector<Candidate>& sorted() {
        if (kept_.size() > limit_) cut();
        std::sort(kept_.begin(), kept_.end(), better);
        return kept_;
    }

private:
    void cut() {
        std::nth_element(kept_.begin(), kept_.begin() + int64_t(limit_) - 1, kept_.end(), better);
        kept_.resize(limit_);
        worst_ = kept_.back().score;
    }

    size_t limit_ = 1;
    float worst_ = kNever;
    std::vector<Candidate> kept_;
};

struct BeamNode {
    int32_t node;
    float score;
};

struct Visit {
    int64_t block;
    int32_t document;  // within the chunk
    int64_t at;        // where its margins go
};

// Searches a chunk of documents level by level. The blocks that a level must look at are visited in their order, so a
// block is fetched once for all documents of the chunk that reach it.
class ChunkSearch {
public:
    ChunkSearch(const SearchModel& model, const SearchOptions& options) : model_(model), options_(options) {}

    void run(const CsrView& X, int64_t first, int64_t last, const Forbidden& forbidden, int32_t* labels, float* scores) {
        n_ = size_t(last - first);
        first_ = first;
        forbidden_ = forbidden;
        if (documents_.size() < n_) documents_.resize(n_);
        beams_.assign(n_, {});
        for (size_t i = 0; i < n_; ++i) {
            const int64_t at = X.begin(first + int64_t(i));
            documents_[i].assign(X.indices + at, X.data + at, X.length(first + int64_t(i)), model_.levels[0].hash_bits);
            beams_[i].push_back({0, 0.0f});
        }
        for (size_t level = 0; level + 1 < model_.levels.size(); ++level) {
            score_level(level);
            for (size_t i = 0; i < n_; ++i) advance(level, i);
        }
        score_level(model_.levels.size() - 1);
        for (size_t i = 0; i < n_; ++i) {
            const int64_t row = first + int64_t(i);
            finish(i, labels + row * options_.k, scores + row * options_.k);
        }
    }

private:
    void score_level(size_t number) {
        const PackedLevel& level = model_.levels[number];
        visits_.clear();
        starts_.resize(n_);
        int64_t at = 0;
        for (size_t i = 0; i < n_; ++i) {
            starts_[i] = at;
            for (const BeamNode& node : beams_[i])
                for (int64_t block = level.parent_blocks[node.node]; block < level.parent_blocks[node.node + 1]; ++block) {
                    visits_.push_back({block, int32_t(i), at});
                    at += level.block_begin[block + 1] - level.block_begin[block];
                }
        }
        if (margins_.size() < size_t(at)) margins_.resize(size_t(at));
        if (n_ > 1)
            std::sort(visits_.begin(), visits_.end(), [](const Visit& a, const Visit& b) {
                return a.block != b.block ? a.block < b.block : a.document < b.document;
            });
        for (const Visit& visit : visits_)
            scorer_.score(level, visit.block, documents_[size_t(visit.document)], margins_.data() + visit.at);
    }

    // Calls visit(log score, margin, child) for the allowed children of a document's beam.
    template <class Offer>
    void each_child(size_t number, size_t i, Offer&& offer) const {
        const PackedLevel& level = model_.levels[number];
        const uint8_t* const allowed = model_.allowed[number];
        const float* margin = margins_.data() + starts_[i];
        for (const BeamNode& node : beams_[i])
            for (int64_t child = level.first_child(node.node); child < level.end_child(node.node); ++child, ++margin)
                if (allowed == nullptr || allowed[child] != 0) {
                    const float sound = ordered(*margin);
                    offer(node.score + log_score(options_.transform, sound), sound, int32_t(child));
                }
    }

    void advance(size_t number, size_t i) {
        best_.start(size_t(options_.beam));
        each_child(number, i, [&](float score, float margin, int32_t child) { best_.offer(score, margin, child); });
        beams_[i].clear();
        const bool above_leaves = number + 2 == model_.levels.size();
        for (const Candidate& kept : best_.sorted())
            beams_[i].push_back({kept.node, above_leaves ? weighted(kept.score, options_) : kept.score});
    }

    std::pair<const int32_t*, const int32_t*> forbidden_labels(size_t i) const {
        if (forbidden_.indptr == nullptr) return {nullptr, nullptr};
        const int64_t* const at = forbidden_.indptr + first_ + int64_t(i);
        return {forbidden_.labels + at[0], forbidden_.labels + at[1]};
    }

    int64_t count_leaves(int32_t parent) const {
        const PackedLevel& level = model_.levels.back();
        const int64_t first = level.first_child(parent), end = level.end_child(parent);
        const uint8_t* const allowed = model_.allowed.back();
        return allowed == nullptr ? end - first : end - first - std::count(allowed + first, allowed + end, uint8_t(0));
    }

    void finish(size_t i, int32_t* labels, float* scores) {
        const auto [never, never_end] = forbidden_labels(i);
        best_.start(size_t(options_.k) * size_t(model_.max_copies));
        each_child(model_.levels.size() - 1, i, [&, never = never, never_end = never_end](float score, float margin, int32_t leaf) {
            if (never != never_end && std::binary_search(never, never_end, model_.leaf_labels[leaf])) return;
            best_.offer(score, margin, leaf);
        });
        int found = 0;
        for (const Candidate& kept : best_.sorted()) {
            const int32_t label = model_.leaf_labels[kept.node];
            // Copies of a label: the best one speaks for all.
            if (model_.max_copies > 1 && std::find(labels, labels + found, label) != labels + found) continue;
            labels[found] = label;
            scores[found++] = options_.log_scores ? kept.score : std::exp(kept.score);
            if (found == options_.k) break;
        }
        std::fill(labels + found, labels + options_.k, -1);
        std::fill(scores + found, scores + options_.k, kNever);
    }

    const SearchModel& model_;
    const SearchOptions& options_;
    size_t n_ = 0;
    int64_t first_ = 0;
    Forbidden forbidden_;
    std::vector<HashedDocument> documents_;
    std::vector<std::vector<BeamNode>> beams_;
    std::vector<Visit> visits_;
    std::vector<int64_t> starts_;
    std::vector<float> margins_;
    BlockScorer scorer_;
    Best best_;
};

// Path scores of asked leaves of one document: their ancestors level by level, every block once.
class LeafScores {
public:
    LeafScores(const SearchModel& model, const SearchOptions& options) : model_(model), options_(options) {}

    void run(const CsrView& X, int64_t row, const int32_t* leaves, int64_t n_leaves, float* scores, float* margins) {
        document_.assign(X.indices + X.begin(row), X.data + X.begin(row), X.length(row), model_.levels[0].hash_bits);
        trace_ancestors(leaves, n_leaves);
        above_ = {{0, 0.0f}};
        for (size_t level = 0; level < model_.levels.size(); ++level) score_level(level);
        for (int64_t i = 0; i < n_leaves; ++i) {
            const auto found = std::lower_bound(scored_.begin(), scored_.end(), leaves[i],
                                                [](const Candidate& a, int32_t node) { return a.node < node; });
            scores[i] = options_.log_scores ? found->score : std::exp(found->score);
            margins[i] = found->margin;
        }
    }

private:
    void trace_ancestors(const int32_t* leaves, int64_t n_leaves) {
        wanted_.assign(model_.levels.size(), {});
        std::vector<int32_t> nodes(leaves, leaves + n_leaves);
        for (size_t level = model_.levels.size(); level-- > 0;) {
            std::sort(nodes.begin(), nodes.end());
            nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
            wanted_[level] = nodes;
            for (int32_t& node : nodes) node = model_.parents[level][node];
        }
    }

    void score_level(size_t number) {
        const PackedLevel& level = model_.levels[number];
        scored_.clear();
        auto parent = above_.begin();
        int64_t scored_block = -1;
        for (const int32_t node : wanted_[number]) {
            while (parent->node != model_.parents[number][node]) ++parent;
            const int64_t block = level.parent_blocks[parent->node] + (node - level.first_child(parent->node)) / 256;
            if (block != scored_block) scorer_.score(level, block, document_, margins_);
            scored_block = block;
            const float margin = ordered(margins_[node - level.block_begin[block]]);
            scored_.push_back({parent->score + log_score(options_.transform, margin), margin, node});
        }
        above_.clear();
        const bool above_leaves = number + 2 == model_.levels.size();
        for (const Candidate& one : scored_)
            above_.push_back({one.node, above_leaves ? weighted(one.score, options_) : one.score});
    }

    const SearchModel& model_;
    const SearchOptions& options_;
    HashedDocument document_;
    std::vector<std::vector<int32_t>> wanted_;
    std::vector<BeamNode> above_;
    std::vector<Candidate> scored_;
    float margins_[256];
    BlockScorer scorer_;
};

constexpr int64_t kMaxChunkMargins = int64_t(1) << 24;  // 64 MB of floats per thread

// Nodes that a document can have scored at once, on the widest level.
int64_t widest_level(const SearchModel& model, int beam) {
    int64_t widest = 1;
    for (const PackedLevel& level : model.levels) {
        int64_t most = 1;
        for (int64_t parent = 0; parent < level.n_parents; ++parent)
            most = std::max(most, level.end_child(parent) - level.first_child(parent));
        widest = std::max(widest, std::min(level.n_nodes, most * std::min<int64_t>(beam, level.n_parents)));
    }
    return widest;
}

// Documents of a chunk share the fetching of blocks; small enough that every thread gets several chunks.
int64_t chunk_size(const SearchModel& model, int64_t n, const SearchOptions& options) {
    if (n < 16) return 1;
    const int64_t most = std::clamp<int64_t>(kMaxChunkMargins / widest_level(model, options.beam), 1, 1024);
    return std::clamp<int64_t>(n / (int64_t(options.threads) * 8), 1, most);
}

}  // namespace

void beam_search(const SearchModel& model, const CsrView& X, const SearchOptions& options, const Forbidden& forbidden,
                 int32_t* labels, float* scores, Monitor* monitor) {
    const int64_t size = chunk_size(model, X.rows, options);
    std::vector<std::unique_ptr<ChunkSearch>> searches(static_cast<size_t>(options.threads));
    parallel_for(
        (X.rows + size - 1) / size, options.threads,
        [&](int64_t chunk, int worker) {
            auto& search = searches[size_t(worker)];
            if (search == nullptr) search = std::make_unique<ChunkSearch>(model, options);
            search->run(X, chunk * size, std::min(X.rows, (chunk + 1) * size), forbidden, labels, scores);
        },
        monitor);
}

void score_leaves(const SearchModel& model, const CsrView& X, const int64_t* indptr, const int32_t* leaves,
                  const SearchOptions& options, float* scores, float* margins, Monitor* monitor) {
    std::vector<std::unique_ptr<LeafScores>> scorers(static_cast<size_t>(options.threads));
    parallel_for(
        X.rows, options.threads,
        [&](int64_t row, int worker) {
            auto& scorer = scorers[size_t(worker)];
            if (scorer == nullptr) scorer = std::make_unique<LeafScores>(model, options);
            const int64_t at = indptr[row];
            scorer->run(X, row, leaves + at, indptr[row + 1] - at, scores + at, margins + at);
        },
        monitor);
}

}  // namespace ramify
