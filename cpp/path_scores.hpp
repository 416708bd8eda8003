// Shared by beam search and the scores of given leaves: log score of a margin, order of candidates, working memory.
#pragma once
#include <cmath>
#include <limits>
#include <vector>

#include "beam.hpp"
#include "block_scores.hpp"

namespace ramify {

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

// Contribution of the path above a leaf to its log score; 0 times -inf would be NaN.
inline float weighted(float path, const SearchOptions& options) {
    return options.path_weight == 0.0f ? 0.0f : options.path_weight * path;
}

// A leaf's score plus the bias of its label. It is added last, because kernels drop leaves by the score before.
inline float with_bias(float score, const SearchModel& model, int32_t leaf) {
    return model.leaf_bias == nullptr ? score : score + model.leaf_bias[leaf];
}

// Huge features and damaged weights can give NaN, which has no order: it is treated as the smallest margin.
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

struct BeamNode {
    int32_t node;
    float score;
};

// Working memory of the score kernels.
class ScoreRoom {
public:
    // Capacity for documents of up to n features.
    ScoreScratch of(int64_t n) {
        if (int64_t(candidates_.size()) < n) {
            hits_.resize(2 * size_t(n));
            candidates_.resize(size_t(n));
        }
        return {candidates_.data(), hits_.data(), hits_.data() + candidates_.size()};
    }

private:
    std::vector<uint32_t> candidates_;
    std::vector<Hit> hits_;
};

inline void hash_features(const int32_t* features, int64_t n, int bits, uint32_t* hashes) {
    for (int64_t i = 0; i < n; ++i) hashes[i] = hash_feature(uint32_t(features[i]), bits);
}

}  // namespace ramify
