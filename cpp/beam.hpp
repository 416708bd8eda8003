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
    std::vector<const uint8_t*> allowed;   // per level: 0 = the node is not entered; null: all
    const int32_t* leaf_labels = nullptr;
    int64_t n_labels = 0;
    int max_copies = 1;  // maximum number of leaves of a label
    const float* leaf_bias = nullptr;  // per leaf: added to its log score, 0 at most; null: nothing
};

// Score of a label with several leaves: its best copy, or the mean or sum over the copies that were reached.
enum class Copies { max = 0, mean = 1, sum = 2 };

struct SearchOptions {
    int beam = 10;
    int k = 10;
    Transform transform = Transform::hinge3;
    bool log_scores = false;  // return the log of the path score
    float path_weight = 1.0f;  // leaf score (log) = path_weight * (log score of the path above it) + own log score
    Copies copies = Copies::max;
    int threads = 1;
};

// Labels that are excluded per document; ascending. Null indptr: none.
struct Forbidden {
    const int64_t* indptr = nullptr;
    const int32_t* labels = nullptr;
};

// labels, scores: rows x k, descending, ties by larger leaf margin, then smaller leaf; padded with -1 and -inf.
// The scores of a document do not depend on the batch or the number of threads: same bits.
void beam_search(const SearchModel& model, const FeatureView& X, const SearchOptions& options, const Forbidden& forbidden,
                 int32_t* labels, float* scores, Monitor* monitor);

class ChunkSearch;

// For single documents: reuses the working memory of a search for the next one, per concurrent thread.
class SingleSearches {
public:
    explicit SingleSearches(const SearchModel& model);
    ~SingleSearches();

    // The only document of X.
    void search(const FeatureView& X, const SearchOptions& options, int32_t* labels, float* scores);

private:
    std::unique_ptr<ChunkSearch> take();
    void give_back(std::unique_ptr<ChunkSearch> search);

    const SearchModel& model_;
    std::mutex guard_;
    std::vector<std::unique_ptr<ChunkSearch>> idle_;
};

// Scores and margins of given leaves without a beam: leaves[indptr[i]..indptr[i + 1]) of document i.
void score_leaves(const SearchModel& model, const FeatureView& X, const int64_t* indptr, const int32_t* leaves,
                  const SearchOptions& options, float* scores, float* margins, Monitor* monitor);

// Scores of labels from those of their leaves: label i has the leaves [pointers[i], pointers[i + 1]), ascending. Scores
// are logarithms; the score of a label without a leaf is -inf.
struct LeafAnswers {
    const int64_t* pointers;
    const int32_t* leaves;
    const float* scores;
    const float* margins;
};
void merge_leaves(const LeafAnswers& answers, int64_t n_labels, const SearchOptions& options, float* scores);

}  // namespace ramify
