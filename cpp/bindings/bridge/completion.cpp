#include "completion.hpp"

#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <ctime>

namespace headrace::bridge {
namespace {

std::atomic<pending_result*> buried{nullptr};
std::atomic<void (*)()> first_buried{nullptr};

void bury(pending_result& r) noexcept {
    auto* head = buried.load(std::memory_order_relaxed);
    do {
        r.next = head;
    } while (!buried.compare_exchange_weak(head, &r, std::memory_order_release, std::memory_order_relaxed));
    if (head != nullptr) return;
    if (auto* callback = first_buried.load(std::memory_order_acquire)) callback();
}

// Results of one finish_chain() that go to the same queue, newest first.
struct share {
    completion_queue* queue = nullptr;
    pending_result* newest = nullptr;
    pending_result* oldest = nullptr;

    void add(pending_result& r) noexcept {
        r.next = newest;
        newest = &r;
        if (oldest == nullptr) oldest = &r;
    }
    void hand_over() noexcept {
        if (queue != nullptr && !queue->push(newest, oldest)) {
            for (auto* r = newest; r != nullptr;) {
                auto* next = r->next;
                bury(*r);
                r = next;
            }
        }
        *this = {};
    }
};

}  // namespace

void pending_result::finish(pending_result& r) noexcept {
    r.next = nullptr;
    finish_chain(&r);
}

void pending_result::finish_chain(pending_result* first) noexcept {
    std::array<share, 4> shares;
    for (auto* r = first; r != nullptr;) {
        auto* next = r->next;
        if (auto* queue = r->settle()) {
            // More than four loops in one chain: the first gives its place up early.
            share* to = &shares[0];
            for (auto& s : shares) {
                if (s.queue == queue || s.queue == nullptr) {
                    to = &s;
                    break;
                }
            }
            if (to->queue != queue) to->hand_over();
            to->queue = queue;
            to->add(*r);
        }
        r = next;
    }
    for (auto& s : shares) s.hand_over();
}

// The decision. Null: there is no queue, and the engine's reference is gone.
completion_queue* pending_result::settle() noexcept {
    const auto before = word_.fetch_or(finished_bit, std::memory_order_acq_rel);
    if ((before & parked_bit) != 0) unpark();
    if (auto* queue = reinterpret_cast<completion_queue*>(before & ~flags)) return queue;
    release();
    return nullptr;
}

bool pending_result::try_cancel() noexcept {
    auto word = word_.load(std::memory_order_acquire);
    do {
        if ((word & done_bits) != 0) return false;
    } while (!word_.compare_exchange_weak(word, word | cancelled_bit, std::memory_order_acq_rel));
    if ((word & parked_bit) != 0) unpark();
    return true;
}

bool pending_result::bind(completion_queue& queue) noexcept {
    auto word = word_.load(std::memory_order_acquire);
    do {
        if ((word & done_bits) != 0) return false;
    } while (
        !word_.compare_exchange_weak(word, word | reinterpret_cast<std::uintptr_t>(&queue), std::memory_order_acq_rel));
    queue.link(*this);  // only this thread takes and unlinks, so nobody has missed it
    return true;
}

bool pending_result::wait(ns timeout) noexcept {
    if ((word_.fetch_or(parked_bit, std::memory_order_acq_rel) & done_bits) != 0) return true;
    const ns deadline = monotonic_now() + timeout;
    while (unparked_.load(std::memory_order_acquire) == 0) {
        const ns left = deadline - monotonic_now();
        if (left.count() <= 0) break;
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
        const timespec limit{static_cast<time_t>(seconds.count()), static_cast<long>((left - seconds).count())};
        ::syscall(SYS_futex, &unparked_, FUTEX_WAIT_PRIVATE, 0, &limit, nullptr, 0);
    }
    return done();
}

void pending_result::unpark() noexcept {
    unparked_.store(1, std::memory_order_release);
    ::syscall(SYS_futex, &unparked_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

void pending_result::release_with_gil() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

void pending_result::release() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    if (destruction_ == destruction::with_gil) {
        bury(*this);
    } else {
        delete this;
    }
}

std::unique_ptr<completion_queue> completion_queue::make() noexcept {
    const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0) return nullptr;
    return std::unique_ptr<completion_queue>(new completion_queue(fd));
}

completion_queue::~completion_queue() {
    ::close(fd_);
}

bool completion_queue::push(pending_result* newest, pending_result* oldest) noexcept {
    auto head = head_.load(std::memory_order_relaxed);
    do {
        if (head == closed) return false;
        oldest->next = head == armed ? nullptr : reinterpret_cast<pending_result*>(head);
    } while (!head_.compare_exchange_weak(head, reinterpret_cast<std::uintptr_t>(newest), std::memory_order_acq_rel,
                                          std::memory_order_relaxed));
    if (head == armed) wake();
    return true;
}

void completion_queue::wake() noexcept {
    wakes_.fetch_add(1, std::memory_order_relaxed);
    const std::uint64_t one = 1;
    while (::write(fd_, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

pending_result* completion_queue::reverse(std::uintptr_t head) noexcept {
    if (head <= closed) return nullptr;
    pending_result* oldest_first = nullptr;
    for (auto* r = reinterpret_cast<pending_result*>(head); r != nullptr;) {
        auto* next = r->next;
        r->next = oldest_first;
        oldest_first = r;
        r = next;
    }
    return oldest_first;
}

pending_result* completion_queue::take() noexcept {
    if (head_.load(std::memory_order_relaxed) <= closed) return nullptr;
    return reverse(head_.exchange(empty, std::memory_order_acq_rel));
}

bool completion_queue::arm() noexcept {
    std::uint64_t count = 0;
    while (::read(fd_, &count, sizeof count) < 0 && errno == EINTR) {
    }
    auto head = empty;
    if (head_.compare_exchange_strong(head, armed, std::memory_order_acq_rel) || head == armed) return true;
    wake();
    return false;
}

pending_result* completion_queue::close() noexcept {
    return reverse(head_.exchange(closed, std::memory_order_acq_rel));
}

void completion_queue::reopen() noexcept {
    head_.store(armed, std::memory_order_release);
}

void completion_queue::link(pending_result& r) noexcept {
    r.bound_previous_ = nullptr;
    r.bound_next_ = bound_;
    if (bound_ != nullptr) bound_->bound_previous_ = &r;
    bound_ = &r;
}

void completion_queue::unlink(pending_result& r) noexcept {
    (r.bound_previous_ != nullptr ? r.bound_previous_->bound_next_ : bound_) = r.bound_next_;
    if (r.bound_next_ != nullptr) r.bound_next_->bound_previous_ = r.bound_previous_;
    r.bound_next_ = r.bound_previous_ = nullptr;
}

bool any_buried() noexcept {
    return buried.load(std::memory_order_relaxed) != nullptr;
}

void free_buried() noexcept {
    for (auto* r = buried.exchange(nullptr, std::memory_order_acq_rel); r != nullptr;) {
        auto* next = r->next;
        if (r->references_.load(std::memory_order_acquire) == 0) {
            delete r;
        } else {
            const auto word = r->word_.load(std::memory_order_acquire);
            reinterpret_cast<completion_queue*>(word & ~pending_result::flags)->unlink(*r);
            r->release_with_gil();
        }
        r = next;
    }
}

void on_first_buried(void (*callback)()) noexcept {
    first_buried.store(callback, std::memory_order_release);
}

}  // namespace headrace::bridge
