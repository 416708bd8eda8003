// Merges the copies of a label that a search reached; a label may have several leaves (label disentanglement,
// docs/papers.md).
#pragma once
#include <vector>

#include "path_scores.hpp"

namespace ramify {

// The score of a label from those of its leaves, which must come in ascending order: the sum of exp(score) is kept as a
// multiple of the best leaf's.
class CopySum {
public:
    explicit CopySum(const Candidate& first) : best(first) {}

    void add(const Candidate& one) {
        if (better(one, best)) {
            sum_ = 1.0f + sum_ * share(best.score, one.score);
            best = one;
        } else {
            sum_ += share(one.score, best.score);
        }
        ++copies_;
    }

    // The log of the mean or sum of exp(score).
    float score(Copies rule) const {
        if (copies_ == 1.0f || rule == Copies::max) return best.score;
        return best.score + std::log(rule == Copies::mean ? sum_ / copies_ : sum_);
    }

    Candidate best;

private:
    static float share(float score, float of) { return score == kNever ? 0.0f : std::exp(score - of); }

    float sum_ = 1.0f, copies_ = 1.0f;
};

// Reuses its memory from document to document.
class CopyMerger {
public:
    // Of n candidates with ascending nodes keeps the best copy of each label, with the score of all copies; returns
    // their number.
    int64_t merge(Candidate* all, int64_t n, const SearchModel& model, Copies rule) {
        places_.resize(size_t(model.n_labels), kNowhere);
        sums_.clear();
        for (int64_t i = 0; i < n; ++i) {
            int32_t& place = places_[size_t(model.leaf_labels[all[i].node])];
            if (place == kNowhere) {
                place = int32_t(sums_.size());
                sums_.emplace_back(all[i]);
            } else {
                sums_[size_t(place)].add(all[i]);
            }
        }
        for (size_t i = 0; i < sums_.size(); ++i) {
            places_[size_t(model.leaf_labels[sums_[i].best.node])] = kNowhere;
            all[i] = sums_[i].best;
            all[i].score = sums_[i].score(rule);
        }
        return int64_t(sums_.size());
    }

private:
    static constexpr int32_t kNowhere = -1;

    std::vector<int32_t> places_;  // of a label among the sums
    std::vector<CopySum> sums_;
};

}  // namespace ramify
