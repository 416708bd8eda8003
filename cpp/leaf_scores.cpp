#include <algorithm>
#include <cmath>

#include "beam.hpp"
#include "copies.hpp"
#include "path_scores.hpp"

namespace ramify {
namespace {

// Path scores of the given leaves of one document: their ancestors level by level, every block once.
class LeafScores {
public:
    LeafScores(const SearchModel& model, const SearchOptions& options)
        : model_(model), options_(options), kernels_(score_kernels_for(detect_isa())) {}

    void run(const FeatureView& X, int64_t row, const int32_t* leaves, int64_t n_leaves, float* scores, float* margins) {
        const int64_t n = X.length(row);
        hashes_.resize(size_t(n));
        hash_features(X.indices + X.begin(row), n, model_.levels[0].hash_bits, hashes_.data());
        features_ = {hashes_.data(), X.data + X.begin(row), n};
        dense_ = X.n_dense == 0 ? nullptr : X.dense_row(row);
        dense_scale_ = X.scale_of(row);
        trace_ancestors(leaves, n_leaves);
        above_ = {{0, 0.0f}};
        for (size_t level = 0; level < model_.levels.size(); ++level) score_level(level);
        for (int64_t i = 0; i < n_leaves; ++i) {
            const auto found = std::lower_bound(scored_.begin(), scored_.end(), leaves[i],
                                                [](const Candidate& a, int32_t node) { return a.node < node; });
            const float score = with_bias(found->score, model_, leaves[i]);
            scores[i] = options_.log_scores ? score : std::exp(score);
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
            if (block != scored_block) score_block(level, block);
            scored_block = block;
            const float margin = ordered(margins_[node - level.block_begin[block]]);
            scored_.push_back({parent->score + log_score(options_.transform, margin), margin, node});
        }
        above_.clear();
        const bool to_leaves = number + 2 == model_.levels.size();
        for (const Candidate& one : scored_)
            above_.push_back({one.node, to_leaves ? weighted(one.score, options_) : one.score});
    }

    void score_block(const PackedLevel& level, int64_t block) {
        if (dense_ != nullptr) kernels_.multiply(level, block, {{dense_}, 1}, dense_sums_);
        const DenseProducts dense{dense_ == nullptr ? nullptr : dense_sums_, dense_scale_};
        kernels_.score(level, block, nullptr, features_, dense, room_.of(features_.n), margins_);
    }

    const SearchModel& model_;
    const SearchOptions& options_;
    const ScoreKernels kernels_;
    std::vector<uint32_t> hashes_;
    HashedFeatures features_{};
    const float* dense_ = nullptr;
    float dense_scale_ = 1.0f;
    std::vector<std::vector<int32_t>> wanted_;
    std::vector<BeamNode> above_;
    std::vector<Candidate> scored_;
    float margins_[256], dense_sums_[256];
    ScoreRoom room_;
};

}  // namespace

void merge_leaves(const LeafAnswers& answers, int64_t n_labels, const SearchOptions& options, float* scores) {
    for (int64_t label = 0; label < n_labels; ++label) {
        const int64_t first = answers.pointers[label], last = answers.pointers[label + 1];
        scores[label] = kNever;
        if (first == last) continue;
        const auto candidate = [&](int64_t at) { return Candidate{answers.scores[at], answers.margins[at], answers.leaves[at]}; };
        CopySum sum(candidate(first));
        for (int64_t at = first + 1; at < last; ++at) sum.add(candidate(at));
        scores[label] = options.log_scores ? sum.score(options.copies) : std::exp(sum.score(options.copies));
    }
}

void score_leaves(const SearchModel& model, const FeatureView& X, const int64_t* indptr, const int32_t* leaves,
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
