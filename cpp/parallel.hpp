// A task loop on std::thread: a thread count per call, one thread runs inline, nothing outlives the call.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <thread>
#include <vector>

namespace ramify {

// How the outside world watches a long loop and stops it. Only the calling thread asks.
class Monitor {
public:
    virtual ~Monitor() = default;
    // `done` is the share of the work finished, 0 to 1. False: stop as soon as possible.
    virtual bool keep_going(double done) = 0;
};

class Interrupted : public std::runtime_error {
public:
    Interrupted() : std::runtime_error("interrupted") {}
};

// Calls body(task, worker) for each task in [0, n_tasks); worker is in [0, threads).
// Tasks are handed out in order, so callers put the largest first.
// The first exception thrown by a body stops the loop and is rethrown here; a monitor that says stop throws Interrupted.
template <class Body>
void parallel_for(int64_t n_tasks, int threads, Body&& body, Monitor* monitor = nullptr) {
    std::atomic<int64_t> next{0};
    std::atomic<bool> stop{false};
    std::exception_ptr failure;
    std::atomic<bool> failed{false};
    auto work = [&](int worker) {
        try {
            for (int64_t task; !stop.load(std::memory_order_relaxed) && (task = next.fetch_add(1)) < n_tasks;) {
                body(task, worker);
                if (worker == 0 && monitor != nullptr && !monitor->keep_going(double(task + 1) / double(n_tasks)))
                    throw Interrupted();
            }
        } catch (...) {
            stop.store(true);
            if (!failed.exchange(true)) failure = std::current_exception();
        }
    };
    const int64_t useful = n_tasks < threads ? n_tasks : threads;
    std::vector<std::thread> helpers;
    try {
        for (int worker = 1; worker < useful; ++worker) helpers.emplace_back(work, worker);
    } catch (const std::exception&) {
        // The system gives no more threads: those that run do the work.
    }
    work(0);
    for (auto& helper : helpers) helper.join();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace ramify
