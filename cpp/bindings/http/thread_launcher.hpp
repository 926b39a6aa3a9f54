// Jobs of Python routes in threads of one app: a thread takes the GIL for a job and keeps it for the next one.
// Threads:  launch() from any, with the GIL or without: its lock is a leaf. A launch wakes one thread at most, and none when
//           it comes from a thread of this launcher, which looks for more work itself.
// Lifetime: jobs hold their route, routes hold this. The destructor joins the threads, without the GIL.
// Errors:   launch() answers closed, forked.
// Stop:     close() takes no more; what was launched runs. wait_closed(), without the GIL, until all of it has ended.
#pragma once

#include <deque>
#include <headrace/base/fork.hpp>
#include <headrace/base/mutex.hpp>
#include <headrace/exec/thread_pool.hpp>
#include <headrace/http/route.hpp>
#include <memory>

namespace headrace::bindings {

class thread_launcher final : public http::launcher {
public:
    thread_launcher(std::size_t threads, const std::string& name);
    ~thread_launcher() override;

    failure launch(const std::shared_ptr<http::route_job>& job) override;
    void close();
    bool wait_closed(ns timeout);

private:
    class runner;
    struct shared;
    const std::uint32_t generation_ = fork_generation();
    const std::shared_ptr<shared> shared_;
    std::unique_ptr<exec::thread_pool> pool_;
};

}  // namespace headrace::bindings
