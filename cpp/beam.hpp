// Beam search down a label tree, and the exact path scores of given leaves.
#pragma once
#include <memory>
#include <mutex>
#include <vector>

#include "block_scores.hpp"
#include "csr.hpp"
#include "packed.hpp"
#include "parallel.hpp"

namespace ramify {

struct SearchModel {
    std::vector<PackedLevel> levels;
    std::vector<const int32_t*> parents;   // per level: parent of each node
    std::vector<const uint8_t*> allowed;   // per level: 0 = never enter the node; null: all
    const int32_t* leaf_labels = nullptr;
    int64_t n_labels = 0;
    int max_copies = 1;  // leaves of the label that has most
    const float* leaf_favour = nullptr;  // per leaf: added to its log score, 0 at most; null: nothing
};

// What a label with several leaves counts: its best copy, or the mean or sum over the copies that were reached.
enum class Copies { max = 0, mean = 1, sum = 2 };

struct SearchOptions {
    int beam = 10;
    int k = 10;
    Transform transform = Transform::hinge3;
    bool log_scores = false;  // give the log of the path score
    float path_weight = 1.0f;  // a leaf scores path_weight * (log score of the path above it) + its own log score
    Copies copies = Copies::max;
    int threads = 1;
};

// Labels that single documents must not get; ascending per document. Null indptr: none.
struct Forbidden {
    const int64_t* indptr = nullptr;
    const int32_t* labels = nullptr;
};

// labels, scores: rows x k, best first, ties by larger leaf margin, then smaller leaf; -1 and -inf fill up.
// Every document is scored by itself: the same bits alone or in a batch, on one thread or many.
void beam_search(const SearchModel& model, const CsrView& X, const SearchOptions& options, const Forbidden& forbidden,
                 int32_t* labels, float* scores, Monitor* monitor);

class ChunkSearch;

// For single documents: keeps the working memory of a search for the next one, per thread that searches at a time.
class SingleSearches {
public:
    explicit SingleSearches(const SearchModel& model);
    ~SingleSearches();

    // The only document of X.
    void search(const CsrView& X, const SearchOptions& options, int32_t* labels, float* scores);

private:
    std::unique_ptr<ChunkSearch> take();
    void give_back(std::unique_ptr<ChunkSearch> search);

    const SearchModel& model_;
    std::mutex guard_;
    std::vector<std::unique_ptr<ChunkSearch>> idle_;
};

// Scores and margins of the given leaves: document i is asked for leaves[indptr[i]..indptr[i + 1]), no beam.
void score_leaves(const SearchModel& model, const CsrView& X, const int64_t* indptr, const int32_t* leaves,
                  const SearchOptions& options, float* scores, float* margins, Monitor* monitor);

// Scores of labels from those of their leaves: label i has the leaves [pointers[i], pointers[i + 1]), ascending. Scores
// are logarithms; a label without a leaf gets -inf.
struct LeafAnswers {
    const int64_t* pointers;
    const int32_t* leaves;
    const float* scores;
    const float* margins;
};
void merge_leaves(const LeafAnswers& answers, int64_t n_labels, const SearchOptions& options, float* scores);

}  // namespace ramify
