// A batch function for engine tests: the answer is the request, unless told otherwise; and a sink that accounts for all.
#pragma once

#include <atomic>
#include <functional>
#include <headrace/batch/engine.hpp>
#include <latch>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace headrace::batch {

struct call final : item {
    int request = 0;
    int result = -1;
    std::string error;
    std::atomic<int> delivered{0};
    std::atomic<int> recycled{0};

    void wait() const noexcept {
        while (delivered == 0) std::this_thread::yield();
    }
    static call& of(item& it) noexcept { return static_cast<call&>(it); }
    static const call& of(const item& it) noexcept { return static_cast<const call&>(it); }
};

struct counting_sink final : sink {
    void deliver(item* chain) noexcept override {
        ++deliveries;
        while (chain != nullptr) {
            call& c = call::of(*std::exchange(chain, chain->next));
            static_cast<void>(c.drop());  // calls of these tests live longer than their engine
            ++items;
            ++c.delivered;
        }
    }
    void recycle(item& it) noexcept override { ++call::of(it).recycled; }
    std::atomic<std::uint64_t> deliveries{0}, items{0};
};

inline std::string text_of(const std::exception_ptr& why) {
    try {
        std::rethrow_exception(why);
    } catch (const std::exception& e) {
        return e.what();
    } catch (...) {
        return "not an exception";
    }
}

/// Runs `body`; then requests that have no result are echoed.
class echo final : public batch_function {
public:
    using items = std::span<item* const>;
    explicit echo(std::function<void(items)> body = nullptr) : body_(std::move(body)) {}

    void run(items batch) override {
        if (body_) body_(batch);
        for (item* it : batch) call::of(*it).result = call::of(*it).request;
    }
    void fail(item& it, const std::exception_ptr& why) noexcept override {
        if (call::of(it).result == -1) call::of(it).error = text_of(why);
    }
    void share(const item& from, item& to) override {
        call::of(to).result = call::of(from).result;
        call::of(to).error = call::of(from).error;
    }
    kept_result keep(const item& it) override {
        auto kept = std::make_shared<call>();
        kept->key = it.key;
        kept->result = call::of(it).result;
        return kept;
    }

private:
    std::function<void(items)> body_;
};

/// A batch function that is busy until it is opened.
struct blocked_function {
    std::latch begun{1}, open{1};
    std::shared_ptr<echo> function = std::make_shared<echo>([this](echo::items) {
        if (begun.try_wait()) return;
        begun.count_down();
        open.wait();
    });
};

/// Starts batches and keeps them until finish().
class deferred final : public batch_function {
public:
    bool is_async() const noexcept override { return true; }
    void run(std::span<item* const>) override {}
    void start(batch_handle&& handle) override {
        const std::lock_guard hold(m_);
        running_.push_back(std::move(handle));
    }
    void fail(item& it, const std::exception_ptr& why) noexcept override { call::of(it).error = text_of(why); }
    void share(const item& from, item& to) override { call::of(to).result = call::of(from).result; }

    std::size_t running() {
        const std::lock_guard hold(m_);
        return running_.size();
    }
    batch_handle take() {
        const std::lock_guard hold(m_);
        batch_handle first = std::move(running_.front());
        running_.erase(running_.begin());
        return first;
    }
    static void finish(batch_handle handle) {
        for (item* it : handle.items()) call::of(*it).result = call::of(*it).request;
        handle.complete();
    }

private:
    std::mutex m_;
    std::vector<batch_handle> running_;
};

}  // namespace headrace::batch
