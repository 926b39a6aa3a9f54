// The seed's consumer program: threads of one group that receive, acknowledge, and tell when each happened.
//
// `count` is for the whole program and counts distinct ids: at least once means that some come twice, and a duplicate
// must not end the program before every message was seen.
// Threads, Errors, Stop: as mq/program.hpp.
#pragma once

#include <headrace/mq/program.hpp>
#include <headrace/mq/receive_budget.hpp>
#include <string>

namespace headrace::mq {

struct consume_options : program_options {
    std::uint64_t count = 0;                   ///< distinct messages of all threads together; 0: until stopped
    std::string group = "headrace";            ///< shared by all programs that name it
    ns timeout{0};                             ///< finish after this long without a message; 0: never
    ns claim_idle = std::chrono::seconds{30};  ///< take over what another consumer left unacked for this long
};

class consume_program final : public program {
public:
    explicit consume_program(consume_options options);
    ~consume_program() override { close(); }
    const consume_options& settings() const noexcept { return settings_; }

private:
    failure check() const override;
    measure::row_kind kind() const override { return measure::row_kind::received; }
    failure make_worker(std::size_t index, net::io_thread& thread, std::unique_ptr<worker>& out) override;
    void on_tick(worker& w) override;

    consume_options settings_;
    receive_budget budget_;
    std::atomic<std::int64_t> last_message_{0};  // monotonic ns of the last delivery to any worker
};

}  // namespace headrace::mq
