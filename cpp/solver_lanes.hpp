// The body of solver.hpp, compiled once per instruction set: see lanes.hpp.
#include "weight_lanes.hpp"

namespace ramify::RAMIFY_ISA_NAMESPACE {
namespace {

constexpr float kInfinity = __builtin_inff();
constexpr int64_t kAhead = 4;  // steps from the prefetch of a row to its use
constexpr uint32_t kMerged = 2;           // LaneRow::rests of a merged row
constexpr int64_t kFewPositive = 8;       // rows are merged if at most one of so many is positive
constexpr int kPositivePasses = 2;        // before rows are merged
constexpr float kFar = 0.2f;              // products with the strength of the positives of rows that are merged
constexpr float kLeastMerged = 1.0f;      // cost of the merged rows
// Two loops of passes have one copy each of the steps, so that sums over rows stay in registers.
#define RAMIFY_INLINED inline __attribute__((always_inline))
constexpr int64_t kLineEntries = 64 / sizeof(LocalEntry);
constexpr int kGroup = 4;  // rows with a dense block whose products are computed together

struct Pass {
    Floats largest, smallest;          // projected gradients of this pass
    Floats shrink_above, shrink_below; // bounds from the pass before
    uint32_t shrunk;                   // lanes that have skipped rows since their last full pass
};

template <Loss loss, class Weight, int kParts>
struct Lanes {
    const NodeRows& rows;
    const LaneTargets& targets;
    const SolverOptions& options;
    LaneState& state;
    Floats bias[kParts] = {};       // sum of the signed dual variables of the rows
    Floats merged[kParts] = {};     // dual variable of the merged rows
    Floats intercept[kParts] = {};  // bias - merged
    float gain = 0.0f;              // 1 / (1 + 0.5 / cost of the merged rows); 0: no row is merged

    // Gives the merged rows, all of the margin -intercept, their best dual variable.
    RAMIFY_INLINED void settle(int part) {
        intercept[part] = bias[part];
        if (gain == 0.0f) return;
        const Floats best = (bias[part] + 1.0f) * gain;
        merged[part] = best > 0.0f ? best : Floats{};
        intercept[part] = bias[part] - merged[part];
    }

    Floats cost(int64_t row, int part, Ints positive) const {
        Floats c = positive ? spread(options.cost_positive) : spread(options.cost_negative);
        if (rows.weight != nullptr) c *= rows.weight[row];
        if (targets.relevance != nullptr) c = positive ? c * load(targets.relevance + row * targets.relevance_stride + part * kLanes) : c;
        return c;
    }

    // One coordinate step for all `live` lanes of a row; returns the lanes that may skip the row from now on. `dense` has the
    // products of a dense block, or is null. `quiet`: nothing has changed; otherwise `changes` has the steps of all lanes.
    RAMIFY_INLINED uint32_t step(int32_t number, uint32_t live, const Floats* dense, Pass* passes, Floats* changes, bool& quiet) {
        LaneRow& row = state.rows[number];
        const LocalEntry* first = rows.entries + row.begin;
        const LocalEntry* last = first + row.length;
        Floats products[kParts];
        dot<kParts>(first, last, static_cast<const Weight*>(state.weights), products);
        for (int part = 0; dense != nullptr && part < kParts; ++part) products[part] += dense[part];
        uint32_t leaving = 0, changed = 0;
        if (loss != Loss::logistic && ((row.positive | row.held) & live) == 0 && satisfied(live, products, passes, leaving)) {
            quiet = true;
            return leaving;
        }
        leaving = 0;
        for (int part = 0; part < kParts; ++part)
            leaving |= step_part(number, part, live >> (part * kLanes), products[part], passes[part], changes[part], changed)
                       << (part * kLanes);
        quiet = changed == 0;
        if (changed != 0) add<kParts>(first, last, changes, static_cast<Weight*>(state.weights));
        return leaving;
    }

    // Most rows are negatives of all lanes with dual variables of 0 and margins above 1: whether this is such a row. If so,
    // the passes have been updated; a step would change nothing.
    RAMIFY_INLINED bool satisfied(uint32_t live, const Floats* products, Pass* passes, uint32_t& leaving) const {
        const float least = -0.1f * options.epsilon;
        Floats gradients[kParts];
        uint32_t violated = 0;
        for (int part = 0; part < kParts; ++part) {
            const Ints running = to_vector(live >> (part * kLanes));
            gradients[part] = -(intercept[part] + products[part]) - 1.0f;
            violated |= to_mask(running & (gradients[part] < least));
        }
        if (violated != 0) return false;
        for (int part = 0; part < kParts; ++part) {
            const Ints running = to_vector(live >> (part * kLanes));
            passes[part].smallest = (running & (gradients[part] < passes[part].smallest)) ? gradients[part] : passes[part].smallest;
            leaving |= to_mask(running & (gradients[part] > passes[part].shrink_above)) << (part * kLanes);
        }
        return true;
    }

    RAMIFY_INLINED uint32_t step_part(int32_t number, int part, uint32_t live, Floats product, Pass& pass, Floats& change, uint32_t& changed) {
        live &= low_bits(kLanes);
        LaneRow& row = state.rows[number];
        const int shift = part * kLanes;
        const Ints positive = to_vector(row.positive >> shift);
        const Floats sign = positive ? spread(1.0f) : spread(-1.0f);
        float* const dual = state.dual + int64_t(number) * (kParts * kLanes) + shift;
        const Floats before = load(dual);
        const Floats margin = sign * (intercept[part] + product) + before * row.own_square;
        const Floats C = cost(number, part, positive);
        const Ints running = to_vector(live);
        Ints leaving = Ints{};
        Floats after;
        if constexpr (loss == Loss::logistic)
            after = logistic_step(margin, before, C, row.square, live, pass);
        else
            after = hinge_step(margin, before, C, curvature(row, part), running, pass, leaving);
        after = running ? after : before;
        change = (after - before) * sign;
        if (to_mask(change != 0.0f) != 0) {
            store(dual, after);
            row.held = (row.held & ~(low_bits(kLanes) << shift)) | to_mask(after != 0.0f) << shift;
            bias[part] += change;
            settle(part);
            changed = 1;
        }
        if (gain != 0.0f) leaving &= ~positive;  // dropped rows are not checked again: a label must keep its few positives
        return to_mask(leaving & running);
    }

    // The diagonal of a row; the merged rows undo the most part of a change of the intercept.
    RAMIFY_INLINED Floats curvature(const LaneRow& row, int part) const {
        if (gain == 0.0f) return spread(row.square);
        return row.square - (merged[part] > 0.0f ? spread(gain) : Floats{});
    }

    RAMIFY_INLINED Floats hinge_step(Floats margin, Floats before, Floats C, Floats diagonal, Ints running, Pass& pass, Ints& leaving) {
        Floats gradient = margin - 1.0f;
        Floats upper = spread(kInfinity);
        if constexpr (loss == Loss::squared_hinge) {
            gradient += before * (0.5f / C);
            diagonal += 0.5f / C;
        } else {
            upper = C;
        }
        const Ints at_zero = before <= 0.0f;
        const Ints at_upper = before >= upper;
        leaving = (at_zero & (gradient > pass.shrink_above)) | (at_upper & (gradient < pass.shrink_below));
        const Floats zero{};
        Floats projected = at_zero ? (gradient < zero ? gradient : zero) : gradient;
        projected = at_upper ? (gradient > zero ? gradient : zero) : projected;
        const Ints counted = running & ~leaving;
        pass.largest = (counted & (projected > pass.largest)) ? projected : pass.largest;
        pass.smallest = (counted & (projected < pass.smallest)) ? projected : pass.smallest;
        Floats after = before - gradient / diagonal;
        after = after > zero ? after : zero;
        after = after < upper ? after : upper;
        // A step far below the tolerance is not written, which saves a third of all writes.
        const Floats tiny = spread(0.1f * options.epsilon);
        return (counted & ((projected > tiny) | (projected < -tiny))) ? after : before;
    }

    Floats logistic_step(Floats margin, Floats before, Floats C, float square, uint32_t live, Pass& pass) {
        Floats after = before;
        for (uint32_t left = live; left != 0; left &= left - 1) {
            const int lane = __builtin_ctz(left);
            float gradient = 0.0f;
            after[lane] = logistic_root(square, margin[lane], before[lane], C[lane], &gradient);
            if (gradient > pass.largest[lane]) pass.largest[lane] = gradient;
        }
        pass.smallest = Floats{};
        return after;
    }

    // After a pass: lanes that have converged, and lanes that need another full pass because they have skipped rows. Where
    // rows are merged, that pass is left out.
    uint32_t close_pass(Pass& pass, uint32_t running, uint32_t& reopened) const {
        uint32_t finished = 0, again = 0;
        for (uint32_t left = running; left != 0; left &= left - 1) {
            const int lane = __builtin_ctz(left);
            const uint32_t bit = 1u << lane;
            // The gradient of the optimum is 0: equal gradients far from 0 are not converged.
            const float above = pass.largest[lane] > 0.0f ? pass.largest[lane] : 0.0f;
            const float below = pass.smallest[lane] < 0.0f ? pass.smallest[lane] : 0.0f;
            if (above - below <= options.epsilon) {
                ((pass.shrunk & bit) != 0 && gain == 0.0f ? again : finished) |= bit;
                pass.shrink_above[lane] = kInfinity;
                pass.shrink_below[lane] = -kInfinity;
            } else {
                pass.shrink_above[lane] = above > 0.0f ? above : kInfinity;
                pass.shrink_below[lane] = below < 0.0f ? below : -kInfinity;
            }
        }
        pass.shrunk &= ~again;
        reopened = again;
        return finished;
    }

    void set_rows() {
        for (int64_t number = 0; number < rows.n_rows; ++number)
            state.rows[number] = {rows.begin[number], int32_t(rows.begin[number + 1] - rows.begin[number]), rows.square[number],
                                  rows.own_square[number], targets.positive[number], 0, 0, 0};
    }

    int64_t all_rows(uint32_t reopened) {
        int64_t n = 0;
        for (int64_t number = 0; number < rows.n_rows; ++number) {
            LaneRow& row = state.rows[number];
            if (row.rests == kMerged) continue;
            state.order[n++] = int32_t(number);
            row.active |= targets.eligible[number] & reopened;
            row.rests = 0;
        }
        return n;
    }

    // Rows are visited in random order: the first data of a step are prefetched some steps before.
    void ask_for(int32_t number) const {
        const LaneRow& row = state.rows[number];
        const LocalEntry* const first = rows.entries + row.begin;
        if ((row.positive | row.held) != 0) __builtin_prefetch(state.dual + int64_t(number) * (kParts * kLanes));
        __builtin_prefetch(first);
        __builtin_prefetch(first + kLineEntries);
    }

    // Whether this pass has a step for the row at a place of the order; otherwise the row is kept or dropped. Prefetches others.
    RAMIFY_INLINED bool turn(int64_t place, int64_t n_active, uint32_t running, int64_t& kept) const {
        const int32_t number = state.order[place];
        if (place + 2 * kAhead < n_active) __builtin_prefetch(state.rows + state.order[place + 2 * kAhead]);
        if (place + kAhead < n_active) ask_for(state.order[place + kAhead]);
        LaneRow& row = state.rows[number];
        if ((row.active & running) == 0) return false;
        if (row.rests == 0) return true;
        row.rests = 0;
        state.order[kept++] = number;
        return false;
    }

    // A step of a row, and what follows for later passes. Returns whether anything has changed.
    RAMIFY_INLINED bool visit(int32_t number, uint32_t running, const Floats* dense, Pass* passes, Floats* changes, int64_t& kept) {
        LaneRow& row = state.rows[number];
        const uint32_t live = row.active & running;
        bool quiet = false;
        const uint32_t leaving = step(number, live, dense, passes, changes, quiet);
        row.rests = quiet && options.epsilon >= kLooseTolerance;
        row.active &= ~leaving;
        for (int part = 0; part < kParts; ++part) passes[part].shrunk |= leaving >> (part * kLanes) & low_bits(kLanes);
        if ((live & ~leaving) != 0) state.order[kept++] = number;
        return !quiet;
    }

    // One pass over the active rows; returns the number that remain active. A row without a change is skipped for one pass.
    RAMIFY_INLINED int64_t pass_over(int64_t n_active, uint32_t running, Pass* passes) {
        Floats changes[kParts];
        int64_t kept = 0;
        for (int64_t place = 0; place < n_active; ++place)
            if (turn(place, n_active, running, kept)) visit(state.order[place], running, nullptr, passes, changes, kept);
        return kept;
    }

    // The same with a dense block: the products of a group of rows are computed together, and the weights are updated once
    // for the group. The products of a row are corrected for the steps of the rows of its group before it, so the steps are
    // those of one row after the other, up to rounding.
    int64_t pass_over_dense(int64_t n_active, uint32_t running, Pass* passes) {
        int64_t kept = 0, place = 0;
        Group group = next_group(place, n_active, running, kept);
        while (group.n != 0) {
            const Group next = next_group(place, n_active, running, kept);
            if (group.n == kGroup) {
                visit_group<kGroup>(group.numbers, next.numbers, running, passes, kept);
            } else {
                for (int i = 0; i < group.n; ++i) visit_group<1>(group.numbers + i, group.numbers + i, running, passes, kept);
            }
            group = next;
        }
        return kept;
    }

    struct Group {
        int32_t numbers[kGroup] = {};
        int n = 0;
    };

    // The next rows that this pass has a step for.
    Group next_group(int64_t& place, int64_t n_active, uint32_t running, int64_t& kept) const {
        Group group;
        for (; place < n_active && group.n < kGroup; ++place) {
            const int32_t number = state.order[place];
            if (turn(place, n_active, running, kept)) group.numbers[group.n++] = number;
        }
        return group;
    }

    template <int kRows>
    void visit_group(const int32_t* group, const int32_t* after, uint32_t running, Pass* passes, int64_t& kept) {
        DenseRows<kRows> dense;
        const float* next[kRows];
        for (int i = 0; i < kRows; ++i) {
            dense.values[i] = rows.dense[group[i]];
            dense.scale[i] = rows.dense_scale[group[i]];
            next[i] = rows.dense[after[i]];
        }
        Floats products[kRows][kParts], steps[kRows][kParts];
        multiply_dense<kRows, kParts>(dense, next, rows.n_dense, state.dense_weights, products);
        int n_changed = 0;
        for (int i = 0; i < kRows; ++i) {
            if (!visit(group[i], running, products[i], passes, steps[n_changed], kept)) continue;
            for (int later = i + 1; later < kRows; ++later) {
                const float alike = dense.scale[i] * dense.scale[later] * dense_dot(dense.values[i], dense.values[later], rows.n_dense);
                for (int part = 0; part < kParts; ++part) products[later][part] += alike * steps[n_changed][part];
            }
            dense.values[n_changed] = dense.values[i];
            dense.scale[n_changed++] = dense.scale[i];
        }
        add_changed<kRows>(dense, n_changed, steps);
    }

    // Adds the first n_changed rows.
    template <int kRows>
    void add_changed(const DenseRows<kRows>& dense, int n_changed, const Floats (*steps)[kParts]) {
        if (n_changed == kRows) return add_dense<kRows, kParts>(dense, rows.n_dense, steps, state.dense_weights);
        if constexpr (kRows > 1) {
            DenseRows<kRows - 1> fewer;
            for (int i = 0; i < kRows - 1; ++i) {
                fewer.values[i] = dense.values[i];
                fewer.scale[i] = dense.scale[i];
            }
            add_changed<kRows - 1>(fewer, n_changed, steps);
        }
    }

    // See solver.hpp. Starts from the solution of the positives alone if rows are merged, else from zero.
    void merge_far_rows(Random& random, Pass* passes) {
        if (!solve_positives(random, passes)) return;
        measure_strength();
        float cost = 0.0f;
        for (int64_t number = 0; number < rows.n_rows; ++number) {
            LaneRow& row = state.rows[number];
            if (row.positive != 0 || targets.eligible[number] == 0 || !is_far(row)) continue;
            row.rests = kMerged;
            cost += options.cost_negative * (rows.weight == nullptr ? 1.0f : rows.weight[number]);
        }
        if (cost < kLeastMerged) return restart();
        gain = 1.0f / (1.0f + 0.5f / cost);
        for (int part = 0; part < kParts; ++part) settle(part);
    }

    // Solves for the positives, with the intercept that very many merged rows would have. False: too many are positive.
    bool solve_positives(Random& random, Pass* passes) {
        int64_t n = 0;
        for (int64_t number = 0; number < rows.n_rows; ++number) {
            LaneRow& row = state.rows[number];
            row.active = row.positive & targets.eligible[number];
            if (row.active != 0) state.order[n++] = int32_t(number);
        }
        if (kFewPositive * n > rows.n_rows) return false;
        gain = 1.0f;
        for (int part = 0; part < kParts; ++part) settle(part);
        for (int number = 0; number < kPositivePasses; ++number) {
            for (int64_t place = 0; place < n; ++place) state.rows[state.order[place]].rests = 0;
            shuffle(state.order, n, random);
            n = pass_over(n, targets.lanes, passes);
        }
        return true;
    }

    // The largest absolute weight of each feature over the lanes.
    void measure_strength() {
        const Weight* weights = static_cast<const Weight*>(state.weights);
        for (int32_t feature = 0; feature < rows.n_features; ++feature) {
            Floats largest{};
            for (int part = 0; part < kParts; ++part, weights += kLanes) {
                const Floats values = load_weights(weights), sizes = values < 0.0f ? -values : values;
                largest = sizes > largest ? sizes : largest;
            }
            float strength = 0.0f;
            for (int lane = 0; lane < kLanes; ++lane) strength = largest[lane] > strength ? largest[lane] : strength;
            state.strength[feature] = strength;
        }
    }

    bool is_far(const LaneRow& row) const {
        float product = 0.0f;
        const LocalEntry* const last = rows.entries + row.begin + row.length;
        for (const LocalEntry* entry = rows.entries + row.begin; entry != last; ++entry)
            product += state.strength[entry->feature] * (entry->value < 0.0f ? -entry->value : entry->value);
        return product < kFar;
    }

    void restart() {
        __builtin_memset(state.weights, 0, size_t(rows.n_features) * kParts * kLanes * sizeof(Weight));
        for (int64_t number = 0; number < rows.n_rows; ++number) {
            LaneRow& row = state.rows[number];
            if (row.held != 0)
                for (int part = 0; part < kParts; ++part) store(state.dual + (number * kParts + part) * kLanes, Floats{});
            row.held = row.rests = 0;
        }
        gain = 0.0f;
        for (int part = 0; part < kParts; ++part) {
            bias[part] = Floats{};
            settle(part);
        }
    }

    void solve() {
        Random random{state.seed};
        Pass passes[kParts];
        uint32_t running = targets.lanes;
        set_rows();
        for (Pass& pass : passes) pass = {Floats{}, Floats{}, spread(kInfinity), spread(-kInfinity), 0};
        if (loss == Loss::squared_hinge && options.epsilon >= kLooseTolerance && rows.n_dense == 0) merge_far_rows(random, passes);
        int64_t n_active = all_rows(running);
        for (int number = 0; number < options.max_passes && running != 0; ++number) {
            if (state.keep_going != nullptr && !state.keep_going(state.asker)) return;
            for (Pass& pass : passes) {
                pass.largest = spread(loss == Loss::logistic ? 0.0f : -kInfinity);
                pass.smallest = spread(loss == Loss::logistic ? 0.0f : kInfinity);
            }
            shuffle(state.order, n_active, random);
            n_active = rows.n_dense == 0 ? pass_over(n_active, running, passes) : pass_over_dense(n_active, running, passes);
            uint32_t reopened = 0;
            for (int part = 0; part < kParts; ++part) {
                uint32_t again = 0;
                running &= ~(close_pass(passes[part], running >> (part * kLanes) & low_bits(kLanes), again) << (part * kLanes));
                reopened |= again << (part * kLanes);
            }
            if (reopened != 0) n_active = all_rows(reopened);
        }
        for (int part = 0; part < kParts; ++part) store(state.bias + part * kLanes, intercept[part]);
    }
};

template <class Weight, int kParts>
void solve_parts(const NodeRows& rows, const LaneTargets& targets, const SolverOptions& options, LaneState& state) {
    switch (options.loss) {
        case Loss::squared_hinge: return Lanes<Loss::squared_hinge, Weight, kParts>{rows, targets, options, state}.solve();
        case Loss::hinge: return Lanes<Loss::hinge, Weight, kParts>{rows, targets, options, state}.solve();
        case Loss::logistic: return Lanes<Loss::logistic, Weight, kParts>{rows, targets, options, state}.solve();
    }
}

template <class Weight>
void solve_lanes(const NodeRows& rows, const LaneTargets& targets, const SolverOptions& options, LaneState& state) {
    if (targets.stride == kLanes) return solve_parts<Weight, 1>(rows, targets, options, state);
#if defined(RAMIFY_HALVES)
    if constexpr (sizeof(Weight) == 2) {
        if (targets.stride == 2 * kLanes) return solve_parts<Weight, 2>(rows, targets, options, state);
    }
#endif
}

template <class Weight>
int64_t pick_weights(const WeightRange& range, LaneWeight* out) {
    const Weight* weights = static_cast<const Weight*>(range.weights) + int64_t(range.first) * range.stride;
    const Floats threshold = spread(range.threshold);
    int64_t found = 0;
    for (int32_t feature = range.first; feature < range.last; ++feature)
        for (int lane = 0; lane < range.stride; lane += kLanes, weights += kLanes) {
            const Floats values = load_weights(weights);
            const Floats sizes = values < 0.0f ? -values : values;
            uint32_t kept = to_mask((sizes >= threshold) & (values != 0.0f)) & (range.lanes >> lane);
            for (; kept != 0; kept &= kept - 1) {
                const int place = __builtin_ctz(kept);
                out[found++] = {feature, uint8_t(lane + place), values[place]};
            }
        }
    return found;
}

}  // namespace

Solver solver(bool half) {
#if defined(RAMIFY_HALVES)
    if (half) return {16, kLanes, 2, &solve_lanes<uint16_t>, &pick_weights<uint16_t>};
#endif
    (void)half;
    return {kLanes, kLanes, 4, &solve_lanes<float>, &pick_weights<float>};
}

}  // namespace ramify::RAMIFY_ISA_NAMESPACE
