// What a task graph costs: a tree of units in which each one sleeps after its dependencies.
//
//     graph_bench [--json] [--rounds N] [--layers L] [--fan N] [--sleep-us T] [--only VARIANT]
//
// The tree has L layers of dependencies below its root, N for each unit: with 4 and 10 it is 11,111 units, 10,000 of them
// leaves. A round makes all units, runs them and ends when a thread that waits for the root runs on; making them counts. With
// T us of sleep nothing can be faster than (L + 1) * T. Rounds of the variants alternate:
//
//     delay      units that are nothing but a timer, added in bulk
//     single     the same, added one by one
//     call       a timer and then an empty function on a worker
//     coroutine  a coroutine on a worker that sleeps: two turns on a worker
//     bare       no sleep: what is left is the cost of the units; ns per unit
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <headrace/base/sleep.hpp>
#include <headrace/batch/task_graph.hpp>
#include <string>
#include <vector>

namespace {

using namespace headrace;
using namespace headrace::batch;

struct settings {
    bool json = false;
    int rounds = 21;
    int layers = 4;
    int fan = 10;
    long sleep_us = 1000;
    std::string only;
};

// Makes the tree from its leaves up; `make` adds one unit after some others.
template <class Make>
node_ref tree(int layers, int fan, const Make& make) {
    if (layers == 0) return make({});
    std::vector<node_ref> children;
    children.reserve(static_cast<std::size_t>(fan));
    for (int i = 0; i < fan; ++i) children.push_back(tree(layers - 1, fan, make));
    return make(children);
}

template <class Build>
double round_ms(Build build) {
    task_graph g;
    const ns start = monotonic_now();
    const node_ref root = build(g);
    g.core().wait(*root.get(), ns::max());
    const ns taken = monotonic_now() - start;
    if (root->state() != unit_state::done) std::abort();
    return static_cast<double>(taken.count()) / 1e6;
}

struct variant {
    const char* name;
    std::function<double()> run;
    std::vector<double> ms{};
};

double median(std::vector<double>& v) {
    std::sort(v.begin(), v.end());
    return v[v.size() / 2];
}

std::vector<variant> variants(const settings& s) {
    const ns sleep = std::chrono::microseconds{s.sleep_us};
    const auto delays = [s](task_graph& g, ns t) {
        graph_bulk bulk(g);
        return tree(s.layers, s.fan, [&](std::span<const node_ref> after) -> node_ref { return bulk.delay(t, after); });
    };
    return {
        {"delay", [=] { return round_ms([&](task_graph& g) { return delays(g, sleep); }); }},
        {"single",
         [=] {
             return round_ms([&](task_graph& g) {
                 return tree(s.layers, s.fan,
                             [&](std::span<const node_ref> after) -> node_ref { return g.delay(sleep, after); });
             });
         }},
        {"call",
         [=] {
             return round_ms([&](task_graph& g) {
                 graph_bulk bulk(g);
                 return tree(s.layers, s.fan, [&](std::span<const node_ref> after) -> node_ref {
                     return bulk.submit({.name = {}, .delay = sleep, .after = {after.begin(), after.end()}}, [] {});
                 });
             });
         }},
        {"coroutine",
         [=] {
             return round_ms([&](task_graph& g) {
                 graph_bulk bulk(g);
                 return tree(s.layers, s.fan, [&](std::span<const node_ref> after) -> node_ref {
                     return bulk.submit({.name = {}, .after = {after.begin(), after.end()}},
                                        [sleep](unit_context& here) -> unit_task<> { co_await here.sleep(sleep); });
                 });
             });
         }},
        {"bare", [=] { return round_ms([&](task_graph& g) { return delays(g, ns{0}); }); }},
    };
}

settings parse(int argc, char** argv) {
    settings s;
    for (int i = 1; i < argc; ++i) {
        const std::string arg = argv[i];
        const auto number = [&] {
            const long n = ++i < argc ? std::strtol(argv[i], nullptr, 10) : -1;
            if (n >= 0) return n;
            std::fprintf(stderr, "%s needs a number\n", arg.c_str());
            std::exit(2);
        };
        if (arg == "--json") {
            s.json = true;
        } else if (arg == "--rounds") {
            s.rounds = static_cast<int>(std::max(1L, number()));
        } else if (arg == "--layers") {
            s.layers = static_cast<int>(number());
        } else if (arg == "--fan") {
            s.fan = static_cast<int>(std::max(1L, number()));
        } else if (arg == "--sleep-us") {
            s.sleep_us = number();
        } else if (arg == "--only" && i + 1 < argc) {
            s.only = argv[++i];
        } else {
            std::fprintf(
                stderr,
                "usage: graph_bench [--json] [--rounds N] [--layers L] [--fan N] [--sleep-us T] [--only VARIANT]\n");
            std::exit(arg == "--help" ? 0 : 2);
        }
    }
    return s;
}

}  // namespace

int main(int argc, char** argv) {
    const settings s = parse(argc, argv);
    long units = 0, width = 1;
    for (int l = 0; l <= s.layers; ++l, width *= s.fan) units += width;
    auto all = variants(s);
    if (!s.only.empty()) std::erase_if(all, [&](const variant& v) { return s.only != v.name; });
    for (int r = 0; r <= s.rounds; ++r) {
        for (variant& v : all) {
            const double ms = v.run();
            if (r > 0) v.ms.push_back(ms);  // the first round warms up
        }
    }
    const double ideal = static_cast<double>((s.layers + 1) * s.sleep_us) / 1e3;
    if (s.json) {
        std::printf("{\"units\": %ld, \"ideal_ms\": %.3f, \"rounds\": %d, \"median_ms\": {", units, ideal, s.rounds);
        for (std::size_t i = 0; i < all.size(); ++i) {
            std::printf("%s\"%s\": %.3f", i == 0 ? "" : ", ", all[i].name, median(all[i].ms));
        }
        std::printf("}}\n");
        return 0;
    }
    std::printf("%ld units, ideal %.2f ms, %d rounds\n", units, ideal, s.rounds);
    for (variant& v : all) {
        const double m = median(v.ms);
        std::printf("%-10s median %7.3f ms  best %7.3f ms  worst %7.3f ms  (%.0f ns a unit)\n", v.name, m, v.ms.front(),
                    v.ms.back(), m * 1e6 / static_cast<double>(units));
    }
    return 0;
}
