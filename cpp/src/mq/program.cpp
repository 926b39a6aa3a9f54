#include <algorithm>
#include <headrace/mq/program.hpp>

namespace headrace::mq {
namespace {

constexpr ns close_patience = std::chrono::milliseconds{700};

void earliest(ns& mine, ns other) {
    if (other.count() != 0) mine = mine.count() == 0 ? other : std::min(mine, other);
}

}  // namespace

void program_progress::add(const program_progress& o) {
    sent += o.sent;
    acked += o.acked;
    failed += o.failed;
    received += o.received;
    receive_acked += o.receive_acked;
    redelivered += o.redelivered;
    duplicates += o.duplicates;
    in_flight += o.in_flight;
    payload_bytes += o.payload_bytes;
    window_full += o.window_full;
    earliest(first, o.first);
    last = std::max(last, o.last);
    link.requests += o.link.requests;
    link.writes += o.link.writes;
    link.reads += o.link.reads;
    link.bytes_out += o.link.bytes_out;
    link.bytes_in += o.link.bytes_in;
    link.reconnects += o.link.reconnects;
    link.resent += o.link.resent;
    link.dropped_by_broker += o.link.dropped_by_broker;
}

void program_histograms::merge(const program_histograms& other) {
    service.merge(other.service);
    response.merge(other.response);
    lateness.merge(other.lateness);
}

program::program(program_options options) : options_(std::move(options)) {}
program::~program() {
    close();
}

failure program::open() {
    if (options_.threads == 0) return failure::of(errc::invalid_argument, "threads must be at least 1");
    if (options_.threads > 1024) return failure::of(errc::invalid_argument, "threads must be at most 1024");
    if (auto bad = check()) return bad;
    if (options_.anchor.epoch.count() == 0) options_.anchor = clock_anchor::now();
    if (options_.csv_fd >= 0) {
        if (auto bad = csv_.open({.fd = options_.csv_fd})) return bad;
    }
    runtime_ = std::make_shared<net::runtime>(net::runtime_options{options_.threads});
    for (std::size_t i = 0; i < options_.threads; ++i) {
        std::unique_ptr<worker> made;
        if (auto bad = make_worker(i, runtime_->thread(i), made)) return bad;
        if (auto bad = made->open_sinks(options_, kind(), csv_)) return bad;
        workers_.push_back(std::move(made));
    }
    for_each_worker([](worker& w) { w.open(); });
    return {};
}

void program::for_each_worker(const std::function<void(worker&)>& f) {
    for (auto& w : workers_) w->thread().post([f, &each = *w] { f(each); });
}

bool program::wait_connected(ns timeout) {
    const ns deadline = monotonic_now() + timeout;
    lock_guard hold(mutex_);
    while (connected_ < workers_.size() && !failure_) {
        const ns left = deadline - monotonic_now();
        if (left.count() <= 0) return false;
        changed_.wait_for(mutex_, left);
    }
    return true;
}

void program::start(ns at) {
    for_each_worker([at](worker& w) { w.start(at); });
}

bool program::wait(ns timeout) {
    const ns deadline = monotonic_now() + timeout;
    lock_guard hold(mutex_);
    while (finished_ < workers_.size()) {
        const ns left = deadline - monotonic_now();
        if (left.count() <= 0) return false;
        changed_.wait_for(mutex_, left);
    }
    return true;
}

void program::stop() {
    if (stopping_.exchange(true)) return;
    for_each_worker([](worker& w) { w.stop(); });
}

failure program::close() {
    if (closed_) return failed();
    closed_ = true;
    stop();
    // A worker may wait for a reader of standard output that has fallen asleep: closing the writer frees it.
    if (!wait(close_patience)) csv_.close(ns{0});
    if (runtime_) {
        final_cpu_ = cpu_time();
        runtime_->stop();
    }
    for (auto& w : workers_) {
        if (auto bad = w->close_sinks()) fail(std::move(bad));
    }
    const bool interrupted = static_cast<bool>(failed());
    if (auto bad = csv_.close(interrupted ? close_patience : ns::max())) fail(std::move(bad));
    return failed();
}

void program::worker_connected() {
    lock_guard hold(mutex_);
    ++connected_;
    changed_.notify_all();
}

void program::worker_finished() {
    lock_guard hold(mutex_);
    ++finished_;
    changed_.notify_all();
}

void program::fail(failure why) {
    {
        lock_guard hold(mutex_);
        if (!failure_) failure_ = std::move(why);
        changed_.notify_all();
    }
    if (!closed_) stop();
}

failure program::failed() const {
    lock_guard hold(mutex_);
    return failure_;
}

program_progress program::progress() const {
    program_progress sum;
    for (const auto& w : workers_) sum.add(w->progress());
    return sum;
}

program_histograms program::histograms() const {
    program_histograms sum;
    for (const auto& w : workers_) sum.merge(w->histograms());
    return sum;
}

ns program::cpu_time() const {
    if (!runtime_ || closed_) {
        if (final_cpu_.count() != 0) return final_cpu_;
    }
    ns used{0};
    for (std::size_t i = 0; runtime_ && i < runtime_->size(); ++i) used += runtime_->thread(i).cpu_time();
    return used;
}

}  // namespace headrace::mq
