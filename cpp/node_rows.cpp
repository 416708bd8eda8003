#include "node_rows.hpp"

namespace ramify {

NodeGatherer::NodeGatherer(const CsrView& X, const float* instance_weights)
    : X_(X), instance_weights_(instance_weights), number_(size_t(X.cols), 0) {}

void NodeGatherer::count_features(const int32_t* instances, int64_t n_instances) {
    touched_.clear();
    int64_t n_entries = 0;
    for (int64_t i = 0; i < n_instances; ++i) {
        n_entries += X_.length(instances[i]);
        for (int64_t at = X_.begin(instances[i]); at < X_.end(instances[i]); ++at)
            if (number_[X_.indices[at]]++ == 0) touched_.push_back(X_.indices[at]);
    }
    make_room(entries_, size_t(n_entries));  // incremental growth would need twice the memory
    features_.clear();
    for (const int32_t column : touched_) {
        if (number_[column] == 1) {
            number_[column] = 0;  // private to one row
        } else {
            features_.push_back(column);
            number_[column] = int32_t(features_.size());
        }
    }
}

void NodeGatherer::copy_row(int32_t instance) {
    const auto row = int32_t(begin_.size()) - 1;
    float own = 0.0f, shared = 0.0f;
    for (int64_t at = X_.begin(instance); at < X_.end(instance); ++at) {
        const int32_t column = X_.indices[at];
        const float value = X_.data[at];
        if (number_[column] == 0) {
            own += value * value;
            private_.push_back({row, column, value});
        } else {
            shared += value * value;
            entries_.push_back({number_[column] - 1, value});
        }
    }
    begin_.push_back(int64_t(entries_.size()));
    own_square_.push_back(own);
    square_.push_back(own + shared + 1.0f);
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
    private_.clear();
    own_square_.clear();
    square_.clear();
    begin_.assign(1, 0);
    for (int64_t i = 0; i < n_instances; ++i) copy_row(instances[i]);
    for (const int32_t column : touched_) number_[column] = 0;
    weigh(instances, n_instances, factors);
}

NodeRows NodeGatherer::rows() const {
    return {int64_t(square_.size()), int32_t(features_.size()), begin_.data(),  entries_.data(),
            own_square_.data(),      square_.data(),            weight_.empty() ? nullptr : weight_.data()};
}

}  // namespace ramify
