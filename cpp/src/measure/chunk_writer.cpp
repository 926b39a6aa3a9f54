#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <headrace/measure/chunk_writer.hpp>
#include <headrace/measure/csv_format.hpp>
#include <utility>

namespace headrace::measure {
namespace {

constexpr std::size_t max_spare = 16;

/// Starts a thread with every signal blocked: they belong to the program, not to this thread.
template <class F>
std::thread start_without_signals(F&& body) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread thread(std::forward<F>(body));
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return thread;
}

}  // namespace

chunk_writer::~chunk_writer() {
    close(std::chrono::seconds{1});
}

failure chunk_writer::open(const chunk_writer_options& options) {
    if (thread_.joinable()) return failure::of(errc::invalid_argument, "this chunk_writer was opened before");
    if (auto bad = out_.open(options.fd)) {
        fail(bad);
        return bad;
    }
    max_queue_bytes_ = options.max_queue_bytes;
    {
        const lock_guard lock(m_);
        closing_ = false;
    }
    thread_ = start_without_signals([this] { run(); });
    return {};
}

bool chunk_writer::must_wait(std::size_t bytes) const {
    return !closing_ && !why_ && queued_bytes_ != 0 && queued_bytes_ + bytes > max_queue_bytes_;
}

bool chunk_writer::push(std::string chunk) {
    const lock_guard lock(m_);
    if (must_wait(chunk.size())) {
        const ns since = monotonic_now();
        while (must_wait(chunk.size())) drained_.wait(m_);
        stalled_.fetch_add((monotonic_now() - since).count(), std::memory_order_relaxed);
    }
    if (closing_ || why_) return false;
    queued_bytes_ += chunk.size();
    // Small chunks (a flush ten times a second into a pipe that nobody reads) share one buffer instead of keeping one
    // each.
    if (!queue_.empty() && queue_.back().capacity() - queue_.back().size() >= chunk.size()) {
        queue_.back() += chunk;
        keep_spare(std::move(chunk));
    } else {
        queue_.push_back(std::move(chunk));
    }
    filled_.notify_one();
    return true;
}

std::string chunk_writer::recycle() {
    const lock_guard lock(m_);
    if (spare_.empty()) return {};
    std::string chunk = std::move(spare_.back());
    spare_.pop_back();
    return chunk;
}

void chunk_writer::keep_spare(std::string chunk) {
    if (spare_.size() == max_spare) return;
    chunk.clear();
    spare_.push_back(std::move(chunk));
}

bool chunk_writer::next_chunk(std::string& chunk) {
    const lock_guard lock(m_);
    if (std::exchange(writing_, false)) {
        queued_bytes_ -= chunk.size();
        keep_spare(std::move(chunk));
        drained_.notify_all();
    }
    while (queue_.empty() && !closing_) filled_.wait(m_);
    if (queue_.empty()) return false;
    chunk = std::move(queue_.front());
    queue_.pop_front();
    writing_ = true;
    return true;
}

void chunk_writer::run() {
    std::string chunk;
    while (next_chunk(chunk)) {
        if (!error()) write_chunk(chunk);
    }
}

void chunk_writer::write_chunk(const std::string& chunk) {
    std::size_t written = 0;
    auto bad = out_.write(chunk, written);
    if (bad) {
        const std::size_t torn = written - whole_rows({chunk.data(), written});
        if (torn != 0 && out_.take_back(torn)) written -= torn;
    }
    written_.fetch_add(written, std::memory_order_relaxed);
    if (bad) fail(std::move(bad));
}

void chunk_writer::fail(failure why) {
    const lock_guard lock(m_);
    if (why_) return;
    error_.store(why.code.value(), std::memory_order_release);
    why_ = std::move(why);
    drained_.notify_all();
}

failure chunk_writer::close(ns patience) {
    if (thread_.joinable()) {
        const ns start = monotonic_now();
        bool drained = true;
        {
            const lock_guard lock(m_);
            closing_ = true;
            filled_.notify_all();
            drained_.notify_all();
            while (drained && !why_ && queued_bytes_ != 0) {
                const ns left = patience - (monotonic_now() - start);
                drained = left > ns{0};
                // Waits in slices: ns::max() from now would be past the clock's range.
                if (drained) drained_.wait_for(m_, std::min<ns>(left, std::chrono::hours{1}));
            }
        }
        if (!drained) out_.abort();
        thread_.join();
        out_.close();
    }
    return why();
}

failure chunk_writer::why() const {
    const lock_guard lock(m_);
    return why_;
}

}  // namespace headrace::measure
