#include <headrace/base/gate.hpp>

namespace headrace {

bool gate::try_enter() {
    const lock_guard lock(m_);
    if (closed_) return false;
    ++inside_;
    return true;
}

// leave() and close() notify with the lock held: whoever wakes up may destroy the gate at once.
void gate::leave() noexcept {
    const lock_guard lock(m_);
    --inside_;
    if (done()) empty_.notify_all();
}

void gate::close() noexcept {
    const lock_guard lock(m_);
    closed_ = true;
    if (done()) empty_.notify_all();
}

void gate::wait() {
    const lock_guard lock(m_);
    while (!done()) empty_.wait(m_);
}

bool gate::wait_for(ns timeout) {
    const ns deadline = monotonic_now() + timeout;
    const lock_guard lock(m_);
    while (!done()) {
        const ns left = deadline - monotonic_now();
        if (left <= ns{0}) return false;
        empty_.wait_for(m_, left);
    }
    return true;
}

bool gate::closed() const {
    const lock_guard lock(m_);
    return closed_;
}

std::size_t gate::inside() const {
    const lock_guard lock(m_);
    return inside_;
}

}  // namespace headrace
