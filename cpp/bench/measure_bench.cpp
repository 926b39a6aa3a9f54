// What recording costs: histogram (bar: 10 ns), segments, CSV rows (bar: 60 ns), schedules.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <headrace/measure/csv_writer.hpp>
#include <headrace/measure/paced_driver.hpp>
#include <headrace/measure/segment_reader.hpp>
#include <headrace/measure/segment_writer.hpp>
#include <random>
#include <vector>

namespace {

using namespace headrace;
using namespace headrace::measure;

/// Latencies as brokers show them: log-normal around 0.2 ms with a long tail.
std::vector<std::int64_t> latencies() {
    std::mt19937_64 random(1);
    std::lognormal_distribution<double> distribution(12.2, 1.0);
    std::vector<std::int64_t> values(1 << 16);
    for (auto& v : values) v = static_cast<std::int64_t>(distribution(random));
    return values;
}

std::vector<std::string> ids() {
    std::vector<std::string> out;
    for (int i = 0; i < 4096; ++i) out.push_back("k3v9x2qp-00-" + std::to_string(100'000 + i));
    return out;
}

void histogram_record(benchmark::State& state) {
    const auto values = latencies();
    histogram h;
    std::size_t i = 0;
    for (auto _ : state) h.record(values[i++ & 0xFFFF]);
    benchmark::DoNotOptimize(h.count());
}
BENCHMARK(histogram_record);

void histogram_percentile(benchmark::State& state) {
    histogram h;
    for (const auto v : latencies()) h.record(v);
    for (auto _ : state) benchmark::DoNotOptimize(h.percentile(99.9));
}
BENCHMARK(histogram_percentile);

void pacer_next(benchmark::State& state) {
    pacer p{123'456.7, ns{0}, state.range(0) == 0 ? arrivals::constant : arrivals::poisson, 1};
    for (auto _ : state) benchmark::DoNotOptimize(p.next());
}
BENCHMARK(pacer_next)->ArgName("poisson")->Arg(0)->Arg(1);

void csv_row(benchmark::State& state) {
    const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    const auto names = ids();
    {
        chunk_writer out;
        out.open({.fd = null});
        csv_writer csv(out, {.anchor = clock_anchor::now()});
        std::int64_t now = monotonic_now().count();
        std::size_t i = 0;
        for (auto _ : state) {
            now += 1000;
            csv.record(sent_row{.id = names[i++ & 4095], .intended = now, .sent = now, .acked = now + 250'000});
        }
    }
    ::close(null);
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(csv_row);

std::string segment_path() {
    return (std::filesystem::temp_directory_path() / ("headrace-bench-" + std::to_string(::getpid()))).string();
}

/// One iteration is a row; the file is cut off every million rows.
void segment_row(benchmark::State& state) {
    const auto names = ids();
    const auto detail = state.range(0) == 0 ? detail_level::full : detail_level::ledger;
    const std::string path = segment_path();
    std::unique_ptr<segment_writer> w;
    std::int64_t now = 0;
    std::size_t i = 0;
    for (auto _ : state) {
        if (i % 1'000'000 == 0) {
            state.PauseTiming();
            std::filesystem::remove(path);
            w = std::make_unique<segment_writer>();
            w->open({.path = path, .detail = detail, .anchor = {}});
            state.ResumeTiming();
        }
        now += 1000;
        w->record(sent_row{.id = names[i++ & 4095], .intended = now, .sent = now, .acked = now + 250'000, .size = 149});
    }
    if (w->close()) state.SkipWithError("write failed");
    std::filesystem::remove(path);
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(segment_row)->ArgName("ledger")->Arg(0)->Arg(1);

void segment_read_million(benchmark::State& state) {
    const std::string path = segment_path();
    segment_writer w;
    w.open({.path = path, .anchor = {}});
    const auto names = ids();
    for (std::size_t i = 0; i < 1'000'000; ++i) w.record(sent_row{.id = names[i & 4095], .sent = 1});
    w.close();
    for (auto _ : state) {
        segment_reader r;
        r.open(path);
        std::int64_t sum = 0;
        for (sent_row row; r.next(row);) sum += row.sent;
        if (sum != 1'000'000) state.SkipWithError("rows are missing");
    }
    std::filesystem::remove(path);
    state.SetItemsProcessed(state.iterations() * 1'000'000);
}
BENCHMARK(segment_read_million)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
