// How late a paced loop starts its items, beside a bare clock_nanosleep loop in the same run.
//
//     pacer_bench [rate per second = 100000] [seconds per repetition = 2] [repetitions = 5]
//
// The bare loop sleeps to each item's absolute time and reads the clock: what the kernel gives. Like the paced one it does
// not sleep for an item that is late already; sleeping to a past moment costs a system call, and a loop that pays it for
// every item may never catch up. The paced loop asks paced_driver what is due. Both use 1 ns of timer slack, the
// repetitions alternate, and lateness is the time from the intended moment to the clock reading. Exits 1 when the median
// difference of p99 exceeds 100 us.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <headrace/base/sleep.hpp>
#include <headrace/measure/paced_driver.hpp>
#include <vector>

namespace {

using namespace headrace;
using measure::histogram;
using measure::paced_driver;
using measure::pacer;

constexpr double bar_us = 100.0;

histogram run_bare(double rate, std::uint64_t items) {
    const double period = 1e9 / rate;
    const ns start = monotonic_now() + std::chrono::milliseconds{1};
    histogram lateness;
    for (std::uint64_t i = 0; i < items; ++i) {
        const ns intended = start + ns{static_cast<ns::rep>(static_cast<double>(i) * period)};
        ns now = monotonic_now();
        if (now < intended) {
            sleep_until(intended);
            now = monotonic_now();
        }
        lateness.record((now - intended).count());
    }
    return lateness;
}

histogram run_paced(double rate, std::uint64_t items) {
    paced_driver driver{pacer{rate, monotonic_now() + std::chrono::milliseconds{1}}};
    while (driver.taken() < items) {
        for (std::size_t n = driver.due(monotonic_now(), items - driver.taken()); n != 0; --n)
            driver.take(monotonic_now());
        sleep_until(driver.wake_at());
    }
    return driver.lateness();
}

double in_us(std::int64_t value) {
    return static_cast<double>(value) / 1e3;
}

void print(const char* name, int repetition, const histogram& h) {
    std::printf("%-6s %d  p50 %8.1f us  p99 %8.1f us  max %9.1f us  (%llu items)\n", name, repetition,
                in_us(h.percentile(50)), in_us(h.percentile(99)), in_us(h.max()),
                static_cast<unsigned long long>(h.count()));
}

double number(int argc, char** argv, int index, double fallback) {
    return argc > index ? std::strtod(argv[index], nullptr) : fallback;
}

}  // namespace

int main(int argc, char** argv) {
    const double rate = number(argc, argv, 1, 100'000);
    const double seconds = number(argc, argv, 2, 2);
    const int repetitions = static_cast<int>(number(argc, argv, 3, 5));
    if (pacer::check(rate) || seconds <= 0 || repetitions < 1) {
        std::fprintf(stderr, "usage: pacer_bench [rate per second] [seconds per repetition] [repetitions]\n");
        return 2;
    }
    use_exact_timers();
    const auto items = static_cast<std::uint64_t>(rate * seconds);
    std::vector<double> differences;
    for (int i = 1; i <= repetitions; ++i) {
        const histogram bare = run_bare(rate, items);
        const histogram paced = run_paced(rate, items);
        print("bare", i, bare);
        print("paced", i, paced);
        differences.push_back(in_us(paced.percentile(99)) - in_us(bare.percentile(99)));
    }
    std::sort(differences.begin(), differences.end());
    const double median = differences[differences.size() / 2];
    std::printf("p99 of paced above bare: median %.1f us, from %.1f to %.1f us (bar: <= %.0f us)\n", median,
                differences.front(), differences.back(), bar_us);
    return median <= bar_us ? 0 : 1;
}
