// What a batcher costs, beside the bare hand-over it cannot beat.
//
//     batch_bench [--seconds S = 0.5 per case and repetition] [--repetitions N = 5] [--json]
//
// Identity batch function. `floor` is an intrusive lock-free stack between the same threads: push, take all, complete.
//   pipelined   4 producers keep 1024 items each in flight; bar: >= 8 M items/s on 2 cores
//   one         one item at a time, worker spinning (bar: p50 <= 1 us) or parked (bar: p50 <= 15 us)
//   asio        batcher<int, int>::async_submit with callbacks on an io_context, 1024 in flight: for information
//   idle        CPU of the process while nothing happens; bar: <= 0.5 %
// The repetitions of floor and batcher alternate; medians are printed, and compared with the bars.
// Exits 1 below a bar; with --json, one line, it leaves that to the reader.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <headrace/base/parker.hpp>
#include <headrace/base/sleep.hpp>
#include <headrace/batch/engine.hpp>
#include <headrace/measure/histogram.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "batch_bench_asio.hpp"

namespace {

using namespace headrace;
using namespace std::chrono_literals;

constexpr unsigned producers = 4;
constexpr std::size_t in_flight = 1024;
constexpr double bar_items = 8e6, bar_spinning_us = 1.0, bar_parked_us = 15.0, bar_idle_percent = 0.5;

struct request final : batch::item {
    std::uint64_t in = 0, out = 0;
    request* again = nullptr;  // the owner's list of free ones, or the stack of the floor
};

/// Gives completed requests back to their producer in one piece.
struct free_list final : batch::sink {
    void deliver(batch::item* chain) noexcept override {
        request* first = nullptr;
        request* last = static_cast<request*>(chain);
        for (batch::item* it = chain; it != nullptr;) {
            auto* r = static_cast<request*>(std::exchange(it, it->next));
            r->again = first;
            first = r;
        }
        push(first, last);
    }
    void recycle(batch::item&) noexcept override {}

    void push(request* first, request* last) noexcept {
        last->again = head.load(std::memory_order_relaxed);
        while (!head.compare_exchange_weak(last->again, first, std::memory_order_acq_rel, std::memory_order_relaxed)) {
        }
        if (waiting.load() && waiting.exchange(false)) place.unpark();
    }
    /// Waits for completions: some microseconds awake, then asleep, as a thread does that has other things to do.
    request* take() noexcept {
        for (int tries = 0;; ++tries) {
            if (head.load(std::memory_order_relaxed) != nullptr)
                return head.exchange(nullptr, std::memory_order_acquire);
            if (tries < spins) {
                spin_pause();
                continue;
            }
            if (!parks) {
                std::this_thread::yield();
                continue;
            }
            waiting = true;
            if (head.load() == nullptr) place.park();
            waiting = false;
        }
    }
    alignas(64) std::atomic<request*> head{nullptr};
    std::atomic<bool> waiting{false};
    parker place;
    int spins = 200;
    bool parks = true;
};

struct identity final : batch::batch_function {
    void run(std::span<batch::item* const> items) override {
        for (batch::item* it : items) static_cast<request*>(it)->out = static_cast<request*>(it)->in;
    }
    void fail(batch::item&, const std::exception_ptr&) noexcept override {}
    void share(const batch::item&, batch::item&) override {}
};

/// What runs between the producers and a worker: `submit(request&, to)` and nothing else.
struct engine_under_test {
    explicit engine_under_test(ns spin)
        : pool(std::make_shared<exec::thread_pool>(exec::thread_pool_options{.threads = 1, .spin = 0ns})),
          engine({.max_batch_size = 1000, .max_queue_size = 1'000'000, .spin = spin}, std::make_shared<identity>(),
                 pool) {}
    ~engine_under_test() {
        engine.shutdown(stop_mode::drain);
        engine.wait_stopped();
    }
    void submit(request& r, free_list& to) {
        r.sink = &to;
        engine.submit(r);
    }
    std::shared_ptr<exec::thread_pool> pool;
    batch::engine engine;
};

struct floor_under_test {
    floor_under_test() : worker([this] { work(); }) {}
    ~floor_under_test() {
        stop = true;
        worker.join();
    }
    void submit(request& r, free_list& to) {
        r.sink = &to;
        r.again = head.load(std::memory_order_relaxed);
        while (!head.compare_exchange_weak(r.again, &r, std::memory_order_acq_rel, std::memory_order_relaxed)) {
        }
    }
    void work() {
        for (int tries = 0; !stop.load(std::memory_order_relaxed);) {
            request* first = head.load(std::memory_order_relaxed) == nullptr
                                 ? nullptr
                                 : head.exchange(nullptr, std::memory_order_acq_rel);
            if (first == nullptr) {
                ++tries < 100 ? spin_pause() : std::this_thread::yield();
                continue;
            }
            tries = 0;
            while (first != nullptr) {
                request* const run = first;
                request* last = run;
                for (;;) {
                    last->out = last->in;
                    if (last->again == nullptr || last->again->sink != run->sink) break;
                    last = last->again;
                }
                first = last->again;
                static_cast<free_list*>(run->sink)->push(run, last);
            }
        }
    }
    alignas(64) std::atomic<request*> head{nullptr};
    std::atomic<bool> stop{false};
    std::thread worker;
};

template <class T>
void produce(T& under_test, ns until, std::atomic<std::uint64_t>& total) {
    std::vector<request> requests(in_flight);
    free_list back;
    for (auto& r : requests) under_test.submit(r, back);
    std::uint64_t done = 0;
    std::size_t out = in_flight;
    while (out != 0) {
        const bool more = monotonic_now() < until;
        for (request* r = back.take(); r != nullptr;) {
            request& again = *std::exchange(r, r->again);
            ++done;
            --out;
            if (!more) continue;
            ++again.in;
            ++out;
            under_test.submit(again, back);
        }
    }
    total += done;
}

template <class T>
double pipelined(T& under_test, ns duration) {
    std::atomic<std::uint64_t> total{0};
    const ns start = monotonic_now();
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < producers; ++i) {
        threads.emplace_back([&] { produce(under_test, start + duration, total); });
    }
    for (auto& t : threads) t.join();
    return static_cast<double>(total.load()) * 1e9 / static_cast<double>((monotonic_now() - start).count());
}

/// p50 in us. `rest`: pause between items, so that a worker parks.
template <class T>
double one_at_a_time(T& under_test, ns duration, ns rest) {
    request r;
    free_list back;
    back.parks = rest != 0ns;
    measure::histogram times;
    const ns until = monotonic_now() + duration;
    while (monotonic_now() < until) {
        if (rest != 0ns) sleep_until(monotonic_now() + rest);
        const ns start = monotonic_now();
        under_test.submit(r, back);
        static_cast<void>(back.take());
        times.record((monotonic_now() - start).count());
    }
    return static_cast<double>(times.percentile(50)) / 1e3;
}

double cpu_seconds() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double idle_percent(ns duration) {
    engine_under_test e(20us);
    request r;
    r.deadline = monotonic_now() + 10s;  // so that the timer exists as well
    free_list back;
    e.submit(r, back);
    static_cast<void>(back.take());
    sleep_until(monotonic_now() + 50ms);
    const double before = cpu_seconds();
    sleep_until(monotonic_now() + duration);
    return (cpu_seconds() - before) * 100 * 1e9 / static_cast<double>(duration.count());
}

struct figure {
    const char* name;
    const char* unit;
    double bar;    // 0: for information
    bool at_most;  // the bar is an upper one
    std::vector<double> values;
    double median() const {
        auto sorted = values;
        std::sort(sorted.begin(), sorted.end());
        return sorted[sorted.size() / 2];
    }
    bool good() const { return bar == 0 || (at_most ? median() <= bar : median() >= bar); }
};

void print(const std::vector<figure>& figures, bool json) {
    if (json) std::printf("{");
    bool first = true;
    for (const auto& f : figures) {
        if (json) {
            std::printf("%s\"%s\": {\"unit\": \"%s\", \"median\": %.6g, \"bar\": %.6g, \"values\": [",
                        first ? "" : ", ", f.name, f.unit, f.median(), f.bar);
            for (std::size_t i = 0; i < f.values.size(); ++i) std::printf("%s%.6g", i == 0 ? "" : ", ", f.values[i]);
            std::printf("]}");
        } else {
            std::printf("%-24s %12.4g %-8s", f.name, f.median(), f.unit);
            if (f.bar != 0)
                std::printf("  bar %s %.4g: %s", f.at_most ? "<=" : ">=", f.bar, f.good() ? "met" : "MISSED");
            std::printf("\n");
        }
        first = false;
    }
    if (json) std::printf("}\n");
}

struct settings {
    double seconds = 0.5;
    int repetitions = 5;
    bool json = false;
};

bool parse(int argc, char** argv, settings& out) {
    for (int i = 1; i < argc; ++i) {
        const bool value = i + 1 < argc;
        if (std::strcmp(argv[i], "--json") == 0) {
            out.json = true;
        } else if (std::strcmp(argv[i], "--seconds") == 0 && value) {
            out.seconds = std::strtod(argv[++i], nullptr);
        } else if (std::strcmp(argv[i], "--repetitions") == 0 && value) {
            out.repetitions = std::atoi(argv[++i]);
        } else {
            return false;
        }
    }
    return out.seconds > 0 && out.repetitions > 0;
}

}  // namespace

int main(int argc, char** argv) {
    settings s;
    if (!parse(argc, argv, s)) {
        std::fprintf(stderr, "usage: batch_bench [--seconds S] [--repetitions N] [--json]\n");
        return 2;
    }
    use_exact_timers();
    const ns duration{static_cast<ns::rep>(s.seconds * 1e9)};
    std::vector<figure> f{{"pipelined_floor", "items/s", 0, false, {}},
                          {"pipelined", "items/s", bar_items, false, {}},
                          {"asio", "items/s", 0, false, {}},
                          {"one_floor_spinning", "us", 0, true, {}},
                          {"one_spinning", "us", bar_spinning_us, true, {}},
                          {"one_parked", "us", bar_parked_us, true, {}},
                          {"idle_cpu", "percent", bar_idle_percent, true, {}}};
    for (int i = 0; i < s.repetitions; ++i) {
        {
            floor_under_test floor;
            f[0].values.push_back(pipelined(floor, duration));
            f[3].values.push_back(one_at_a_time(floor, duration, 0ns));
        }
        {
            engine_under_test engine(20us);
            f[1].values.push_back(pipelined(engine, duration));
        }
        f[2].values.push_back(bench::asio_pipelined(duration));
        {
            engine_under_test engine(1s);
            f[4].values.push_back(one_at_a_time(engine, duration, 0ns));
        }
        {
            engine_under_test engine(0ns);
            f[5].values.push_back(one_at_a_time(engine, duration, 200us));
        }
        f[6].values.push_back(idle_percent(duration));
    }
    print(f, s.json);
    if (s.json) return 0;  // whoever reads it judges
    return std::all_of(f.begin(), f.end(), [](const figure& each) { return each.good(); }) ? 0 : 1;
}
