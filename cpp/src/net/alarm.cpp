#include <headrace/net/alarm.hpp>

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <headrace/base/gate.hpp>

namespace headrace::net {

// Handlers hold it weakly: the runtime's queue must not keep alive what keeps the runtime alive.
class alarm::core final : public std::enable_shared_from_this<alarm::core> {
public:
    core(std::shared_ptr<runtime> owner, callback ring)
        : runtime_(std::move(owner)), thread_(runtime_->next()), timer_(thread_.context()), ring_(std::move(ring)) {}

    void ring_by(ns when) {
        auto set = set_.load(std::memory_order_acquire);
        while (when.count() < set) {
            if (set_.compare_exchange_weak(set, when.count(), std::memory_order_acq_rel)) {
                thread_.post([weak = weak_from_this()] {
                    if (const auto self = weak.lock()) self->start_timer();
                });
                return;
            }
        }
    }
    ns set_for() const noexcept { return ns{set_.load(std::memory_order_relaxed)}; }

    void stop() {
        gate_.close();
        if (!thread_.running_here()) gate_.wait();
    }

private:
    // On the I/O thread. The timer has one wait at most: setting its time again ends the wait before.
    void start_timer() {
        const ns when{set_.load(std::memory_order_acquire)};
        if (when == never || when == timer_for_ || gate_.closed()) return;
        timer_for_ = when;
        timer_.expires_at(boost::asio::steady_timer::time_point(when));
        timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& stopped) {
            const auto self = stopped ? nullptr : weak.lock();
            if (self) self->on_timer();
        });
    }

    void on_timer() {
        timer_for_ = never;
        const auto pass = gate_.enter();
        if (!pass) return;
        // Whoever asks from here on sets the alarm anew: nothing asked during the call is lost.
        set_.store(never.count(), std::memory_order_release);
        const ns again = ring_(monotonic_now());
        if (again != never) ring_by(again);
        start_timer();
    }

    std::shared_ptr<runtime> runtime_;
    io_thread& thread_;
    boost::asio::steady_timer timer_;
    ns timer_for_ = never;  // what the timer waits for; the I/O thread's
    callback ring_;
    gate gate_;
    std::atomic<ns::rep> set_{never.count()};
};

alarm::alarm(std::shared_ptr<runtime> owner, callback ring)
    : core_(std::make_shared<core>(std::move(owner), std::move(ring))) {}
alarm::~alarm() {
    stop();
}
void alarm::ring_by(ns when) {
    core_->ring_by(when);
}
ns alarm::set_for() const noexcept {
    return core_->set_for();
}
void alarm::stop() {
    core_->stop();
}

}  // namespace headrace::net
