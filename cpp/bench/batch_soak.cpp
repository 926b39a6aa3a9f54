// The ledger of the batcher at full size: every waiter completes exactly once under random cancels, errors and deadlines.
//
//     batch_soak [--items N = 10000000] [--seed S = 1]
//
// Rounds of 250 000 items go through eight kinds of batcher in turn (keys and a cache, queues that reject or drop, several
// workers, asynchronous functions, a shutdown in the middle). Prints what became of the items; exits 1 when one was lost,
// completed twice, answered with another's result, or never given back. Build it with -DHEADRACE_SANITIZE=thread as well.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "ledger.hpp"

namespace {

using namespace headrace;
using namespace headrace::batch;
using namespace std::chrono_literals;

constexpr std::uint64_t round_size = 250'000;

struct kind {
    const char* name;
    ledger_plan plan;
};

std::vector<kind> kinds() {
    return {
        {"plain", {}},
        {"keys_cache", {.keys = 500, .options = {.cache_size = 100, .cache_ttl = 1ms}}},
        {"reject", {.options = {.max_queue_size = 64, .on_full = full_policy::reject}}},
        {"drop_oldest", {.keys = 5000, .options = {.max_queue_size = 64, .on_full = full_policy::drop_oldest}}},
        {"workers", {.options = {.max_batch_size = 16, .max_concurrent_batches = 4, .spin = 5us}}},
        {"window_weight", {.options = {.max_batch_weight = 50, .batch_wait_timeout = 20us}}},
        {"asynchronous", {.keys = 1000, .asynchronous = true, .options = {.max_concurrent_batches = 3}}},
        {"shutdown", {.keys = 100, .stop_after = round_size / 2, .stop = stop_mode::cancel}},
    };
}

void add(ledger_counts& to, const ledger_counts& c) {
    to.submitted += c.submitted, to.completed += c.completed, to.twice += c.twice, to.wrong += c.wrong;
    to.unreleased += c.unreleased, to.done += c.done, to.failed += c.failed, to.cancelled += c.cancelled;
    to.timed_out += c.timed_out, to.refused += c.refused, to.closed += c.closed;
}

void print(const char* name, const ledger_counts& c) {
    const auto n = [](std::uint64_t v) { return static_cast<unsigned long long>(v); };
    std::printf("%-14s %10llu %10llu %10llu %9llu %9llu %9llu %9llu %9llu | %5llu %5llu %5llu %10llu\n", name,
                n(c.submitted), n(c.completed), n(c.done), n(c.failed), n(c.cancelled), n(c.timed_out), n(c.refused),
                n(c.closed), n(c.submitted - c.completed), n(c.twice), n(c.wrong), n(c.unreleased));
    std::fflush(stdout);
}

bool good(const ledger_counts& c) {
    return c.completed == c.submitted && c.twice == 0 && c.wrong == 0 && c.unreleased == 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::uint64_t items = 10'000'000;
    unsigned seed = 1;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--items") == 0 && i + 1 < argc) {
            items = std::strtoull(argv[++i], nullptr, 10);
        } else if (std::strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            seed = static_cast<unsigned>(std::strtoul(argv[++i], nullptr, 10));
        } else {
            std::fprintf(stderr, "usage: batch_soak [--items N] [--seed S]\n");
            return 2;
        }
    }
    std::printf("%-14s %10s %10s %10s %9s %9s %9s %9s %9s | %5s %5s %5s %10s\n", "kind", "submitted", "completed",
                "done", "failed", "cancelled", "timed out", "refused", "closed", "lost", "twice", "wrong",
                "unreleased");
    auto all = kinds();
    std::vector<ledger_counts> sums(all.size());
    ledger_counts total;
    for (std::uint64_t done = 0, round = 0; done < items; done += round_size, ++round) {
        auto& each = all[round % all.size()];
        each.plan.items = std::min(round_size, items - done);
        each.plan.stop_after = std::min(each.plan.stop_after, each.plan.items / 2);
        each.plan.seed = seed + static_cast<unsigned>(round);
        add(sums[round % all.size()], run_ledger(each.plan));
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
        print(all[i].name, sums[i]);
        add(total, sums[i]);
    }
    print("total", total);
    return good(total) ? 0 : 1;
}
