// Rows of latencies.csv and problems.csv: formatted by several threads, written in the order of the input.
//
// Threads:  one row_writer per thread; row_output is shared and locks itself.
#pragma once

#include <headrace/base/mutex.hpp>
#include <headrace/measure/ledger.hpp>
#include <headrace/measure/out_file.hpp>
#include <headrace/measure/statistics.hpp>

namespace headrace::measure {

/// The two files, and whose turn it is to write to them.
class row_output {
public:
    row_output(out_file& latencies, out_file& problems) : latencies_(latencies), problems_(problems) {}

    /// Waits until all units before `unit` have ended; false when one of them gave up or `cancel` is set.
    bool wait_turn(std::size_t unit, const std::atomic<bool>& cancel);
    bool is_turn(std::size_t unit);
    void end_turn();
    void give_up();
    /// In one's turn only.
    failure write(std::string_view latencies, std::string_view problems);

private:
    mutex m_;
    condition changed_;
    std::size_t turn_ HEADRACE_GUARDED_BY(m_) = 0;
    bool broken_ HEADRACE_GUARDED_BY(m_) = false;
    out_file& latencies_;
    out_file& problems_;
};

class row_writer final : public replay_visitor {
public:
    row_writer(std::size_t worker, const ledger& l, row_output& out, value_log& processing, value_log& sending,
               const std::atomic<bool>& cancel)
        : worker_(worker), ledger_(l), out_(out), processing_(processing), sending_(sending), cancel_(cancel) {}

    failure begin(const replay_unit& unit) override;
    void row(const ledger_row& row, std::span<const match> matches) override;
    void unreadable(std::uint64_t line, const std::string& reason, bool torn) override;
    failure pause() override;
    failure end() override;
    void give_up() noexcept override { out_.give_up(); }

private:
    void message(const ledger_row& row, const match& m);
    void further(const ledger_row& row, const match& m);
    void problem(std::string_view kind, const ledger_row& row, std::string_view detail);
    failure write();

    std::size_t worker_;
    const ledger& ledger_;
    row_output& out_;
    value_log& processing_;
    value_log& sending_;
    const std::atomic<bool>& cancel_;
    replay_unit unit_;
    std::string latencies_, problems_, detail_, file_;
};

}  // namespace headrace::measure
