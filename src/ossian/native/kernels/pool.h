// Threads that take work in pieces and sleep when there is none.
//
// Laptops mix fast and slow cores, and other programs want them too: whoever is free takes the next piece, nobody waits for
// a thread that was not scheduled, and nobody spins for long (spinning barriers were measured to cost a factor of five beside a busy process).
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace ossian {

constexpr int64_t RUN = 16;  // pieces of a matrix that a thread takes at a time: memory gives what lies together faster
constexpr int64_t FEW_ROWS = 4;  // rows of activations: microseconds each

class Pool {
public:
    explicit Pool(int threads) {
        for (int i = 1; i < threads; ++i) helpers_.emplace_back([this] { help(); });
    }
    ~Pool() {
        {
            std::lock_guard lock(mutex_);
            ended_ = true;
        }
        called_.notify_all();
        for (auto& helper : helpers_) helper.join();
    }
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    int threads() const { return static_cast<int>(helpers_.size()) + 1; }

    // Calls work(i) for every i below count, on all threads, and returns when all are done. One caller at a time.
    // A thread takes up to `together` of them at a time, fewer towards the end; as few as that are not worth waking anybody.
    template <class Work>
    void run(int64_t count, const Work& work, int64_t together = 1) {
        if (helpers_.empty() || count <= together) {
            for (int64_t i = 0; i < count; ++i) work(i);
            return;
        }
        {
            std::lock_guard lock(mutex_);
            call_ = [](const void* self, int64_t i) { (*static_cast<const Work*>(self))(i); };
            work_ = &work;
            count_ = count;
            together_ = together;
            next_.store(0, std::memory_order_relaxed);
            open_ = true;
            round_.fetch_add(1, std::memory_order_release);
        }
        called_.notify_all();
        take();
        std::unique_lock lock(mutex_);
        open_ = false;
        if (active_.load(std::memory_order_relaxed)) {
            lock.unlock();
            for (int i = 0; i < SPINS && active_.load(std::memory_order_acquire); ++i) pause();
            lock.lock();
        }
        finished_.wait(lock, [this] { return active_.load(std::memory_order_relaxed) == 0; });
    }

private:
    static constexpr int SPINS = 1000;  // some 30 microseconds: the pause between two kernels of a layer

    static void pause() { __builtin_ia32_pause(); }

    void take() {
        for (int64_t first = next_.load(std::memory_order_relaxed); first < count_;) {
            const int64_t fair = (count_ - first) / (2 * threads()), end = first + std::clamp<int64_t>(fair, 1, together_);
            if (!next_.compare_exchange_weak(first, end, std::memory_order_relaxed)) continue;
            for (int64_t i = first; i < end; ++i) call_(work_, i);
            first = next_.load(std::memory_order_relaxed);
        }
    }

    void help() {
        uint64_t seen = 0;
        while (true) {
            for (int i = 0; i < SPINS && round_.load(std::memory_order_acquire) == seen; ++i) pause();
            std::unique_lock lock(mutex_);
            called_.wait(lock, [&] { return ended_ || (open_ && round_.load(std::memory_order_relaxed) != seen); });
            if (ended_) return;
            seen = round_.load(std::memory_order_relaxed);
            active_.fetch_add(1, std::memory_order_relaxed);
            lock.unlock();
            take();
            lock.lock();
            if (active_.fetch_sub(1, std::memory_order_relaxed) == 1) finished_.notify_one();
        }
    }

    std::vector<std::thread> helpers_;
    std::mutex mutex_;
    std::condition_variable called_, finished_;
    std::atomic<uint64_t> round_{0};
    std::atomic<int64_t> next_{0};
    std::atomic<int> active_{0};
    void (*call_)(const void*, int64_t) = nullptr;
    const void* work_ = nullptr;
    int64_t count_ = 0, together_ = 1;
    bool open_ = false, ended_ = false;
};

}  // namespace ossian
