#include <headrace/batch/engine.hpp>

#include <stdexcept>
#include <system_error>

#include "engine_core.hpp"
#include "engine_runner.hpp"

namespace headrace::batch {

engine::engine(const batch_options& options, std::shared_ptr<batch_function> function,
               std::shared_ptr<exec::thread_pool> pool) {
    if (const auto bad = check(options)) throw std::invalid_argument(bad.message);
    if (pool == nullptr && !function->is_async()) pool = exec::thread_pool::shared();
    core_ = std::make_shared<core>(options, std::move(function), std::move(pool));
}

engine::~engine() {
    if (core_->forked()) {
        // The child has none of the parent's threads, and its locks may be held for ever: the copy is left alone.
        static_cast<void>(new std::shared_ptr<core>(std::move(core_)));
        return;
    }
    core_->shutdown(stop_mode::cancel, nullptr);
}

failure engine::configure(const batch_options& options) {
    if (core_->forked()) return failure_of(item_state::forked, options.name);
    if (auto bad = check(options)) return bad;
    core_->configure(options);
    return {};
}

void engine::submit(item& it) {
    it.next = nullptr;
    core_->submit(it);
}
void engine::submit_chain(item& first) {
    core_->submit(first);
}
bool engine::cancel(item& it) {
    return core_->cancel(it);
}
void engine::flush() {
    core_->flush();
}
batch_options engine::options() const {
    return core_->options();
}
void engine::shutdown(stop_mode mode, std::function<void()> stopped) {
    core_->shutdown(mode, std::move(stopped));
}
bool engine::wait_stopped(ns timeout) {
    return core_->wait_stopped(timeout);
}
bool engine::wait_room(ns timeout) {
    return core_->wait_room(timeout);
}
bool engine::has_room() const noexcept {
    return core_->has_room();
}
bool engine::closed() const noexcept {
    return core_->closed();
}
bool engine::forked() const noexcept {
    return core_->forked();
}
batch_stats engine::stats() const {
    return core_->stats();
}
void engine::prime(kept_result result) {
    core_->prime(std::move(result));
}
void engine::forget(std::uint64_t key) {
    core_->forget(key);
}
void engine::forget_all() {
    core_->forget_all();
}

batch_handle& batch_handle::operator=(batch_handle&& other) noexcept {
    if (this != &other) {
        const batch_handle dropped(std::exchange(run_, std::exchange(other.run_, nullptr)));
    }
    return *this;
}

batch_handle::~batch_handle() {
    if (run_ == nullptr) return;
    fail(std::make_exception_ptr(
        std::system_error(make_error_code(errc::cancelled), "the batch function dropped the batch without an answer")));
}

std::span<item* const> batch_handle::items() const noexcept {
    return run_->batch.items;
}

void batch_handle::complete() noexcept {
    batch_run* const run = std::exchange(run_, nullptr);
    run->owner->finished(run);
}

void batch_handle::fail(const std::exception_ptr& why) noexcept {
    batch_run* const run = std::exchange(run_, nullptr);
    run->batch.failed = true;
    for (item* it : run->batch.items) run->owner->function().fail(*it, why);
    run->owner->finished(run);
}

}  // namespace headrace::batch
