// Merges the copies of a label that a search reached: a label may live in several leaves (PAPERS: label disentanglement).
#pragma once
#include <vector>

#include "path_scores.hpp"

namespace ramify {

// Keeps its memory from document to document.
class CopyMerger {
public:
    // Of n candidates with ascending nodes keeps one per label, its best copy's, with the score of all copies; returns
    // how many. Scores are logarithms: the mean is log(mean(exp)), the sum log(sum(exp)).
    int64_t merge(Candidate* all, int64_t n, const SearchModel& model, Copies rule) {
        places_.resize(size_t(model.n_labels), kNowhere);
        sums_.clear();
        for (int64_t i = 0; i < n; ++i) {
            const Candidate one = all[i];
            int32_t& place = places_[size_t(model.leaf_labels[one.node])];
            if (place == kNowhere) {
                place = int32_t(sums_.size());
                all[place] = one;
                sums_.push_back({1.0f, 1.0f});
            } else {
                add(one, all[place], sums_[size_t(place)]);
            }
        }
        for (size_t i = 0; i < sums_.size(); ++i) {
            places_[size_t(model.leaf_labels[all[i].node])] = kNowhere;
            if (sums_[i].copies > 1.0f) all[i].score += std::log(rule == Copies::mean ? sums_[i].sum / sums_[i].copies : sums_[i].sum);
        }
        return int64_t(sums_.size());
    }

private:
    static constexpr int32_t kNowhere = -1;

    // Of exp(score), as multiples of the best copy's.
    struct Sum {
        float sum, copies;
    };

    static void add(const Candidate& one, Candidate& best, Sum& so_far) {
        if (better(one, best)) {
            so_far.sum = 1.0f + so_far.sum * share(best.score, one.score);
            best = one;
        } else {
            so_far.sum += share(one.score, best.score);
        }
        ++so_far.copies;
    }

    static float share(float score, float of) { return score == kNever ? 0.0f : std::exp(score - of); }

    std::vector<int32_t> places_;  // of a label among the candidates kept
    std::vector<Sum> sums_;
};

}  // namespace ramify
