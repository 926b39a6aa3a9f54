#include "later_thread.hpp"

#include <pthread.h>

#include <csignal>
#include <utility>
#include <vector>

namespace headrace::http {

later_thread::later_thread()
    : thread_([this] {
          sigset_t all;
          sigfillset(&all);
          pthread_sigmask(SIG_BLOCK, &all, nullptr);
          pthread_setname_np(pthread_self(), "headrace-later");
          run();
      }) {}

later_thread::~later_thread() {
    {
        const lock_guard hold(mutex_);
        closed_ = true;
        changed_.notify_all();
    }
    thread_.join();
}

void later_thread::add(ns due, net::http::pending request) {
    const lock_guard hold(mutex_);
    const bool first = waiting_.empty() || due < waiting_.begin()->first;
    waiting_.emplace(due, std::move(request));
    if (first) changed_.notify_one();
}

void later_thread::run() {
    std::vector<net::http::pending> due;
    for (;;) {
        {
            const lock_guard hold(mutex_);
            for (;;) {
                if (closed_) return;
                if (waiting_.empty()) {
                    changed_.wait(mutex_);
                    continue;
                }
                const ns left = waiting_.begin()->first - monotonic_now();
                if (left <= ns{0}) break;
                changed_.wait_for(mutex_, left);
            }
            due.push_back(std::move(waiting_.begin()->second));
            waiting_.erase(waiting_.begin());
        }
        for (auto& request : due) request.send(net::http::response::text(200, "later"));
        due.clear();
    }
}

}  // namespace headrace::http
