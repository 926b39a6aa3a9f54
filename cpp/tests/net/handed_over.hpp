// A box in which handlers leave what they deferred, for the test's thread.
#pragma once

#include <headrace/base/mutex.hpp>
#include <utility>
#include <vector>

namespace headrace::test {

template <class T>
class handed_over {
public:
    void put(T one) {
        const lock_guard hold(mutex_);
        kept_.push_back(std::move(one));
        changed_.notify_all();
    }
    /// The oldest; waits for it.
    T take() {
        const lock_guard hold(mutex_);
        while (kept_.empty()) changed_.wait(mutex_);
        T first = std::move(kept_.front());
        kept_.erase(kept_.begin());
        return first;
    }

private:
    mutex mutex_;
    condition changed_;
    std::vector<T> kept_ HEADRACE_GUARDED_BY(mutex_);
};

}  // namespace headrace::test
