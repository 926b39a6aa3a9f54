#include <algorithm>
#include <headrace/base/fork.hpp>
#include <headrace/base/thread_setup.hpp>
#include <headrace/load/http_load.hpp>
#include <system_error>
#include <thread>

#include "client_tls.hpp"
#include "descriptors.hpp"
#include "http_worker.hpp"

namespace headrace::load {
struct http_load::impl {
    explicit impl(http_load_options o) : options(std::move(o)), shared{options, plan, {}, {}} {
        shared.fail = [this](failure why) {
            {
                const lock_guard hold(guard);
                if (!first) first = std::move(why);
            }
            stop();
        };
    }

    void stop() noexcept {
        auto never = ns::max().count();
        shared.stop_at.compare_exchange_strong(never, monotonic_now().count(), std::memory_order_acq_rel);
        for (auto& w : workers) w->wake();
    }

    failure resolve_all(const std::atomic<bool>& cancel);
    failure open_rows();
    void start_thread(std::size_t index);
    void thread_ended() {
        const lock_guard hold(guard);
        --running;
        ended.notify_all();
    }
    bool forked() const noexcept { return fork_generation() != generation; }

    http_load_options options;
    http_plan plan;
    http_shared shared;
    measure::chunk_writer rows;
    std::vector<std::unique_ptr<http_worker>> workers;
    std::vector<std::thread> threads;
    const std::uint32_t generation = fork_generation();
    bool rows_open = false;
    bool closed = false;

    mutable mutex guard;
    condition ended;
    std::size_t running HEADRACE_GUARDED_BY(guard) = 0;
    failure first HEADRACE_GUARDED_BY(guard);
};

failure http_load::impl::resolve_all(const std::atomic<bool>& cancel) {
    for (const auto& origin : plan.origins) {
        std::vector<socket_address> found;
        if (auto bad = resolve(origin.host, origin.port, options.timeout, cancel, found)) return bad;
        shared.addresses.push_back(std::move(found));
    }
    return {};
}

failure http_load::impl::open_rows() {
    shared.anchor = options.anchor.monotonic == ns{0} ? clock_anchor::now() : options.anchor;
    if (options.csv_fd < 0) return {};
    if (auto bad = rows.open({.fd = options.csv_fd})) return bad;
    rows_open = true;
    rows.push(std::string(http_rows::heading));
    shared.rows = &rows;
    return {};
}

void http_load::impl::start_thread(std::size_t index) {
    try {
        threads.emplace_back([this, index] {
            set_up_thread("headrace-load" + std::to_string(index));
            workers[index]->run();
            thread_ended();
        });
    } catch (const std::system_error& e) {
        thread_ended();
        shared.fail(failure::of(errc::io_error, std::string("load: cannot start a thread: ") + e.what()));
    }
}

http_load::http_load(http_load_options options) : impl_(std::make_unique<impl>(std::move(options))) {}

http_load::~http_load() {
    if (impl_->forked()) {
        // The child has none of the threads; joining or destroying them would hang or crash.
        static_cast<void>(impl_.release());
        return;
    }
    close();
}

const http_load_options& http_load::options() const noexcept {
    return impl_->options;
}

failure http_load::open(const std::atomic<bool>& cancel) {
    auto& my = *impl_;
    if (auto bad = check_options(my.options)) return bad;
    if (auto bad = make_plan(my.options, my.plan)) return bad;
    const auto servers = my.options.rate > 0 ? 1 : my.plan.origins.size();
    if (auto bad = ensure_descriptors(my.options.users * servers)) return bad;
    const auto uses_tls = [](const http_origin& o) { return o.tls; };
    if (std::any_of(my.plan.origins.begin(), my.plan.origins.end(), uses_tls)) {
        if (auto bad = make_client_tls(my.options.tls, my.shared.tls)) return bad;
    }
    if (auto bad = my.resolve_all(cancel)) return bad;
    return my.open_rows();
}

void http_load::start(ns at) {
    auto& my = *impl_;
    my.shared.start = std::max(at, monotonic_now());
    for (std::size_t i = 0; i < my.options.threads; ++i) {
        my.workers.push_back(std::make_unique<http_worker>(my.shared, i));
        if (auto bad = my.workers.back()->prepare()) {
            my.workers.pop_back();
            my.shared.fail(std::move(bad));
            break;
        }
    }
    {
        const lock_guard hold(my.guard);
        my.running = my.workers.size();
    }
    for (std::size_t i = 0; i < my.workers.size(); ++i) my.start_thread(i);
}

bool http_load::wait(ns timeout) {
    auto& my = *impl_;
    if (my.forked()) return true;
    const ns deadline = monotonic_now() + timeout;
    const lock_guard hold(my.guard);
    while (my.running != 0) {
        const ns left = deadline - monotonic_now();
        if (left <= ns{0}) return false;
        my.ended.wait_for(my.guard, left);
    }
    return true;
}

void http_load::stop() noexcept {
    if (!impl_->forked()) impl_->stop();
}

failure http_load::close() {
    auto& my = *impl_;
    if (my.forked()) return failure::of(errc::forked, "load: it belongs to the parent process");
    if (!my.closed) {
        my.closed = true;
        my.stop();
        for (auto& t : my.threads) t.join();
        if (my.rows_open) {
            auto bad = my.rows.close();
            const lock_guard hold(my.guard);
            if (bad && !my.first) my.first = std::move(bad);
        }
    }
    const lock_guard hold(my.guard);
    return my.first;
}

http_load_progress http_load::progress() const {
    auto& my = *impl_;
    http_load_progress p;
    if (my.forked()) return p;
    my.shared.wants_latencies.store(true, std::memory_order_relaxed);
    for (const auto& w : my.workers) {
        const auto s = w->snapshot();
        p.counts.add(s.counts);
        p.responses.merge(s.responses);
    }
    return p;
}

http_load_result http_load::result() const {
    const auto& my = *impl_;
    http_load_result r;
    r.begin = my.shared.start + my.options.warm_up;
    r.end = r.begin;
    for (const auto& w : my.workers) {
        const auto s = w->snapshot();
        const auto& tally = w->tally();
        r.counts.add(s.counts);
        r.histograms.merge(tally.histograms());
        if (tally.seconds().size() > r.seconds.size()) r.seconds.resize(tally.seconds().size());
        for (std::size_t i = 0; i < tally.seconds().size(); ++i) {
            const auto& second = tally.seconds()[i];
            auto& sum = r.seconds[i];
            sum.ok += second.ok;
            sum.failed += second.failed;
            sum.bytes += second.bytes;
            sum.longest = std::max(sum.longest, second.longest);
        }
        for (std::size_t i = 0; i < outcome_count; ++i) {
            if (r.samples[i].empty()) r.samples[i] = s.samples[i];
        }
        r.end = std::max(r.end, s.end);
        r.interrupted = r.interrupted || s.interrupted;
        r.threads.push_back({s.cpu, s.queued, s.ran});
    }
    for (const auto& of_origin : my.shared.addresses) {
        for (const auto& address : of_origin) r.addresses.push_back(address.display());
    }
    return r;
}

}  // namespace headrace::load
