// Answers deferred requests when they are due, from a thread of its own.
// Threads:  add() from any.
// Stop:     the destructor drops what is not due yet (which is then answered 500) and joins.
#pragma once

#include <headrace/base/clock.hpp>
#include <headrace/base/mutex.hpp>
#include <headrace/net/http_server.hpp>
#include <map>
#include <thread>

namespace headrace::http {

class later_thread {
public:
    later_thread();
    ~later_thread();
    later_thread(const later_thread&) = delete;
    later_thread& operator=(const later_thread&) = delete;

    void add(ns due, net::http::pending request) HEADRACE_EXCLUDES(mutex_);

private:
    void run() HEADRACE_EXCLUDES(mutex_);

    mutex mutex_;
    condition changed_;
    std::multimap<ns, net::http::pending> waiting_ HEADRACE_GUARDED_BY(mutex_);
    bool closed_ HEADRACE_GUARDED_BY(mutex_) = false;
    std::thread thread_;
};

}  // namespace headrace::http
