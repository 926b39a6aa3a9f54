// Runtimes of a test whose I/O threads are joined by the test's thread.
//
// Without it an I/O thread that drops the last reference joins the others itself, perhaps only while the program ends, which
// ThreadSanitizer calls a thread leak. Declare it before what uses the runtimes: it has to end last.
#pragma once

#include <headrace/net/runtime.hpp>
#include <memory>
#include <vector>

namespace headrace::test {

class joined_runtimes {
public:
    joined_runtimes() = default;
    joined_runtimes(const joined_runtimes&) = delete;
    joined_runtimes& operator=(const joined_runtimes&) = delete;
    ~joined_runtimes() {
        for (const auto& each : all_) each->stop();
    }

    std::shared_ptr<net::runtime> make(std::size_t threads) {
        return all_.emplace_back(std::make_shared<net::runtime>(net::runtime_options{threads}));
    }

private:
    std::vector<std::shared_ptr<net::runtime>> all_;
};

}  // namespace headrace::test
