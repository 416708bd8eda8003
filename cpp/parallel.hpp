// A task loop on std::thread: a thread count per call; one thread runs inline, and all threads end with the call.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace ramify {

// Progress and cancellation of a long loop. Only the calling thread calls it.
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

// Calls body(task, worker) for each task in [0, n_tasks); worker is in [0, threads), 0 is the calling thread.
// Tasks are assigned in order, so callers sort them by descending size.
// The first exception thrown by a body stops the loop and is rethrown here, that of the calling thread first;
// Interrupted is thrown if the monitor returns false. The monitor is also called while other threads finish their tasks.
template <class Body>
void parallel_for(int64_t n_tasks, int threads, Body&& body, Monitor* monitor = nullptr) {
    std::atomic<int64_t> next{0};
    std::atomic<bool> stop{false}, failed{false};
    std::exception_ptr own_failure, first_failure;
    std::mutex finish;
    std::condition_variable finished;
    int64_t running = 0;
    const auto watch = [&](int64_t done) {
        if (monitor != nullptr && !monitor->keep_going(double(done) / double(n_tasks))) throw Interrupted();
    };
    const auto work = [&](int worker) {
        for (int64_t task; !stop.load(std::memory_order_relaxed) && (task = next.fetch_add(1)) < n_tasks;) {
            body(task, worker);
            if (worker == 0) watch(task + 1);
        }
    };
    const auto help = [&](int worker) {
        try {
            work(worker);
        } catch (...) {
            stop.store(true);
            if (!failed.exchange(true)) first_failure = std::current_exception();
        }
        const std::lock_guard<std::mutex> lock(finish);
        --running;
        finished.notify_one();
    };
    const int64_t useful = n_tasks < threads ? n_tasks : threads;
    std::vector<std::thread> helpers;
    try {
        for (int worker = 1; worker < useful; ++worker) {
            helpers.emplace_back(help, worker);
            const std::lock_guard<std::mutex> lock(finish);
            ++running;
        }
    } catch (const std::exception&) {
        // No more threads can be started: the running ones do the work.
    }
    try {
        watch(0);  // the other threads may take all tasks
        work(0);
        std::unique_lock<std::mutex> lock(finish);
        while (!finished.wait_for(lock, std::chrono::milliseconds(50), [&] { return running == 0; })) {
            lock.unlock();
            watch(next.load() < n_tasks ? next.load() : n_tasks);
            lock.lock();
        }
    } catch (...) {
        stop.store(true);
        own_failure = std::current_exception();
    }
    for (auto& helper : helpers) helper.join();
    if (own_failure) std::rethrow_exception(own_failure);
    if (first_failure) std::rethrow_exception(first_failure);
}

}  // namespace ramify
