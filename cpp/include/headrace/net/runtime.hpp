// The I/O threads of this process.
//
// Each I/O thread runs one io_context that no other thread runs; clients and servers borrow a thread and stay on it.
// Threads:  every function from any thread; what is posted runs on the I/O thread.
// Lifetime: borrowers hold a shared_ptr to the runtime. The default runtime is made on first use and lives while it is
//           borrowed or until stop_shared().
// Errors:   after fork() the child's shared() makes a new runtime; handles of the parent report errc::forked.
// Stop:     stop() ends the loops and joins; work that was posted later never runs.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstddef>
#include <headrace/base/clock.hpp>
#include <memory>
#include <string>
#include <vector>

namespace headrace::net {

class io_thread {
public:
    explicit io_thread(std::string name);
    ~io_thread();
    io_thread(const io_thread&) = delete;
    io_thread& operator=(const io_thread&) = delete;

    boost::asio::io_context& context() noexcept;
    /// True on this very thread.
    bool running_here() const noexcept;
    /// CPU time that the thread has used.
    ns cpu_time() const noexcept;
    template <class F>
    void post(F&& f) {
        boost::asio::post(context(), std::forward<F>(f));
    }
    void stop();

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

struct runtime_options {
    std::size_t io_threads = 1;  ///< 0 is refused
};

class runtime {
public:
    explicit runtime(runtime_options options = {});
    ~runtime();
    runtime(const runtime&) = delete;
    runtime& operator=(const runtime&) = delete;

    /// The process's default runtime.
    static std::shared_ptr<runtime> shared();
    /// Stops the default runtime, if there is one; called before the interpreter goes.
    static void stop_shared();

    std::size_t size() const noexcept { return threads_.size(); }
    io_thread& thread(std::size_t index) { return *threads_[index % threads_.size()]; }
    /// The threads in turn.
    io_thread& next();
    /// True in a child of the process that made it.
    bool forked() const noexcept;
    void stop();

private:
    std::vector<std::unique_ptr<io_thread>> threads_;
    std::atomic<std::size_t> turn_{0};
    int pid_;
};

}  // namespace headrace::net
