#include "node_rows.hpp"

#include <algorithm>

namespace ramify {

NodeGatherer::NodeGatherer(const FeatureView& X, const float* dense_squares, const float* instance_weights, const std::string* folder)
    : X_(X),
      dense_squares_(dense_squares),
      instance_weights_(instance_weights),
      number_(size_t(X.cols), 0),
      private_(SpillAllocator<PrivateFeature>(folder)),
      entries_(SpillAllocator<LocalEntry, HugePages<LocalEntry>>(folder)) {}

// Instances of a node are far apart in X: the first data of a row are prefetched some rows before.
void NodeGatherer::ask_for(int32_t instance, bool values) const {
    constexpr int64_t kLine = 16;  // entries
    const int64_t at = X_.begin(instance);
    __builtin_prefetch(X_.indices + at);
    __builtin_prefetch(X_.indices + at + kLine);
    if (!values) return;
    __builtin_prefetch(X_.data + at);
    __builtin_prefetch(X_.data + at + kLine);
}

// Without branches that depend on the data: which columns are new, and which are private, is hard to predict.
void NodeGatherer::count_features(const int32_t* instances, int64_t n_instances) {
    int64_t n_entries = 0;
    for (int64_t i = 0; i < n_instances; ++i) n_entries += X_.length(instances[i]);
    touched_.resize(size_t(std::min(n_entries, X_.cols)) + 1);
    size_t n_touched = 0;
    for (int64_t i = 0; i < n_instances; ++i) {
        if (i + kAhead < n_instances) ask_for(instances[i + kAhead], false);
        for (int64_t at = X_.begin(instances[i]); at < X_.end(instances[i]); ++at) {
            int32_t& rows = number_[size_t(X_.indices[at])];
            touched_[n_touched] = X_.indices[at];
            n_touched += rows++ == 0;
        }
    }
    touched_.resize(n_touched);
    features_.clear();
    for (const int32_t column : touched_) {
        int32_t& number = number_[size_t(column)];
        if (number > 1) features_.push_back(column);
        number = number > 1 ? int32_t(features_.size()) : 0;  // 0: private to one row
    }
    const size_t n_private = touched_.size() - features_.size();
    private_.resize(n_private + 1);  // one more: an entry of the other kind is written, then overwritten
    make_room(entries_, size_t(n_entries) - n_private + 1);
    entries_.resize(size_t(n_entries) - n_private + 1);
}

void NodeGatherer::copy_rows(const int32_t* instances, int64_t n_instances) {
    LocalEntry* entry = entries_.data();
    PrivateFeature* own_feature = private_.data();
    for (int64_t i = 0; i < n_instances; ++i) {
        if (i + kAhead < n_instances) ask_for(instances[i + kAhead], true);
        float own = 0.0f, shared = 0.0f;
        for (int64_t at = X_.begin(instances[i]); at < X_.end(instances[i]); ++at) {
            const int32_t column = X_.indices[at], number = number_[size_t(column)];
            const float value = X_.data[at], square = value * value;
            const bool is_own = number == 0;
            *entry = {number - 1, value};
            *own_feature = {int32_t(i), column, value};
            entry += !is_own;
            own_feature += is_own;
            own += is_own ? square : 0.0f;
            shared += is_own ? 0.0f : square;
        }
        begin_[size_t(i) + 1] = entry - entries_.data();
        own_square_[size_t(i)] = own;
        square_[size_t(i)] = own + shared + 1.0f;
    }
    private_.pop_back();
}

void NodeGatherer::point_at_dense_rows(const int32_t* instances, int64_t n_instances) {
    dense_.resize(size_t(n_instances));
    dense_scale_.resize(size_t(n_instances));
    for (int64_t i = 0; i < n_instances; ++i) {
        dense_[size_t(i)] = X_.dense_row(instances[i]);
        dense_scale_[size_t(i)] = X_.scale_of(instances[i]);
        square_[size_t(i)] += dense_squares_[instances[i]];
    }
}

// Weight of an instance in this node; a factor of 0 restricts the children that train on it, not its weight.
void NodeGatherer::weigh(const int32_t* instances, int64_t n_instances, const float* factors) {
    weight_.clear();
    if (instance_weights_ == nullptr && factors == nullptr) return;
    weight_.assign(size_t(n_instances), 1.0f);
    for (int64_t i = 0; i < n_instances; ++i) {
        if (factors != nullptr && factors[i] != 0.0f) weight_[size_t(i)] = factors[i];
        if (instance_weights_ != nullptr) weight_[size_t(i)] *= instance_weights_[instances[i]];
    }
}

void NodeGatherer::gather(const int32_t* instances, int64_t n_instances, const float* factors) {
    count_features(instances, n_instances);
    own_square_.resize(size_t(n_instances));
    square_.resize(size_t(n_instances));
    begin_.resize(size_t(n_instances) + 1);
    begin_[0] = 0;
    copy_rows(instances, n_instances);
    for (const int32_t column : touched_) number_[column] = 0;
    if (X_.n_dense != 0) point_at_dense_rows(instances, n_instances);
    weigh(instances, n_instances, factors);
}

void NodeGatherer::finish() {
    std::vector<int32_t>().swap(number_);
    std::vector<int32_t>().swap(touched_);
}

NodeRows NodeGatherer::rows() const {
    return {int64_t(square_.size()), int32_t(features_.size()), begin_.data(),  entries_.data(),
            own_square_.data(),      square_.data(),            weight_.empty() ? nullptr : weight_.data(),
            X_.n_dense,              dense_.data(),             dense_scale_.data()};
}

}  // namespace ramify
