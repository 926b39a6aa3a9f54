// The seed's producer program: threads that send as many messages as the window allows, or at a rate, and tell when each
// was meant to be sent, was sent and was acknowledged.
// Threads, Errors, Stop: as mq/program.hpp.
#pragma once

#include <headrace/measure/pacer.hpp>
#include <headrace/mq/program.hpp>
#include <string>

namespace headrace::mq {

struct produce_options : program_options {
    std::uint64_t count = 1000;  ///< messages per thread; 0 is refused
    std::size_t size = 1000;     ///< payload bytes; 0 is refused
    std::size_t window = 1000;   ///< unacknowledged messages per thread; 0 is refused
    double rate = 0;             ///< messages per second of all threads together; 0: as fast as the window allows
    measure::arrivals arrivals = measure::arrivals::constant;
    std::string payload = "random";  ///< "random", "text" or a file
    std::string instance;            ///< first part of the ids; empty: random
    std::uint64_t seed = 0;          ///< of random payloads and Poisson arrivals
};

class produce_program final : public program {
public:
    explicit produce_program(produce_options options);
    ~produce_program() override { close(); }
    const produce_options& settings() const noexcept { return settings_; }

private:
    failure check() const override;
    measure::row_kind kind() const override { return measure::row_kind::sent; }
    failure make_worker(std::size_t index, net::io_thread& thread, std::unique_ptr<worker>& out) override;

    produce_options settings_;
};

}  // namespace headrace::mq
