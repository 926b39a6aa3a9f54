// Runtimes of a test whose I/O threads are joined by the test's thread.
//
// Without it an I/O thread that drops the last reference joins the others itself, perhaps only while the program ends, which
// ThreadSanitizer calls a thread leak. Declare it before what uses the runtimes: it has to end last, and it waits for their
// last handlers, for one that is never run would keep its runtime for ever.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <headrace/net/runtime.hpp>
#include <memory>
#include <thread>
#include <vector>

namespace headrace::test {

class joined_runtimes {
public:
    joined_runtimes() = default;
    joined_runtimes(const joined_runtimes&) = delete;
    joined_runtimes& operator=(const joined_runtimes&) = delete;
    ~joined_runtimes() {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{60};
        for (const auto& each : all_) {
            while (each.use_count() > 1 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
            EXPECT_EQ(each.use_count(), 1) << "somebody still holds this runtime";
        }
    }

    std::shared_ptr<net::runtime> make(std::size_t threads) {
        return all_.emplace_back(std::make_shared<net::runtime>(net::runtime_options{threads}));
    }

private:
    std::vector<std::shared_ptr<net::runtime>> all_;
};

}  // namespace headrace::test
