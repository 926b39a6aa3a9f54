#include <algorithm>
#include <headrace/base/mutex.hpp>
#include <headrace/base/ring.hpp>
#include <headrace/mq/consumer.hpp>
#include <headrace/mq/consumer_link.hpp>

namespace headrace::mq {

class consumer::core final : public std::enable_shared_from_this<consumer::core>, private consumer_link::listener {
public:
    core(net::io_thread& thread, consumer_options options) : thread_(thread), options_(std::move(options)) {}

    failure make_link() {
        consumer_link_options link;
        link.topic = options_.topic;
        link.group = options_.group;
        link.name = options_.name;
        link.batch = std::min(options_.batch, options_.prefetch);
        link.claim_idle = options_.claim_idle;
        link.give_up_after = options_.give_up_after;
        return make_consumer_link(options_.url, link, thread_, *this, link_);
    }
    void open() {
        thread_.post([self = shared_from_this()] {
            self->link_->allow(self->options_.prefetch);
            self->link_->open();
            self->link_->flush();
        });
    }

    bool wait_open(ns timeout) {
        lock_guard hold(mutex_);
        for (const ns deadline = monotonic_now() + timeout; !open_ && !failure_;) {
            if (!wait_until(deadline)) return false;
        }
        return true;
    }

    bool receive(ns timeout, std::size_t most, std::vector<message>& out) {
        lock_guard hold(mutex_);
        for (const ns deadline = monotonic_now() + timeout; inbox_.empty();) {
            if (failure_ || !wait_until(deadline)) return false;
        }
        const std::size_t n = std::min(most, inbox_.size());
        for (std::size_t i = 0; i < n; ++i) {
            out.push_back(std::move(inbox_.front()));
            inbox_.pop_front();
        }
        return true;
    }

    // Acks travel as tags; the I/O thread knows which are still owed.
    void ack(std::vector<std::uint64_t> tags) {
        {
            lock_guard hold(mutex_);
            if (failure_) return;
            acks_asked_ += 1;
        }
        thread_.post([self = shared_from_this(), tags = std::move(tags)] {
            for (const auto tag : tags) self->collect(tag);
            self->send_acks();
        });
    }
    void ack_through(std::uint64_t last) {
        {
            lock_guard hold(mutex_);
            if (failure_) return;
            acks_asked_ += 1;
        }
        thread_.post([self = shared_from_this(), last] {
            const auto end = self->first_tag_ + self->hands_.size();
            for (auto tag = self->first_tag_; tag <= last && tag < end; ++tag) self->collect(tag);
            self->send_acks();
        });
    }

    bool wait_settled(ns timeout) {
        lock_guard hold(mutex_);
        for (const ns deadline = monotonic_now() + timeout; (acks_asked_ != 0 || unconfirmed_ != 0) && !failure_;) {
            if (!wait_until(deadline)) return false;
        }
        return true;
    }

    void when_open(notice& n) { when(n, &core::when_open_); }
    void when_received(notice& n) { when(n, &core::when_received_); }
    void when_settled(notice& n) { when(n, &core::when_settled_); }

    failure failed() const {
        lock_guard hold(mutex_);
        return failure_;
    }
    void close() {
        fail(failure::of(errc::closed, "the consumer of topic " + options_.topic + " is closed"));
        thread_.post([self = shared_from_this()] { self->link_->close(); });
    }
    counters stats() const {
        lock_guard hold(mutex_);
        auto c = counted_;
        c.waiting = inbox_.size();
        return c;
    }

private:
    enum class hand : std::uint8_t { held, acking, done };

    bool wait_until(ns deadline) HEADRACE_REQUIRES(mutex_) {
        const ns left = deadline - monotonic_now();
        if (left.count() <= 0) return false;
        changed_.wait_for(mutex_, left);
        return true;
    }

    void when(notice& n, notices core::*list) {
        notices due;
        {
            lock_guard hold(mutex_);
            (this->*list).add(n);
            take_due(due);
        }
        due.tell();
    }
    void take_due(notices& due) HEADRACE_REQUIRES(mutex_) {
        if (failure_ || open_) due.take(when_open_);
        if (failure_ || !inbox_.empty()) due.take(when_received_);
        if (failure_ || (acks_asked_ == 0 && unconfirmed_ == 0)) due.take(when_settled_);
    }
    // Threads are woken; `due` is to be told once the lock is free.
    void changed(notices& due) HEADRACE_REQUIRES(mutex_) {
        changed_.notify_all();
        take_due(due);
    }

    void collect(std::uint64_t tag) {
        if (tag < first_tag_ || tag - first_tag_ >= hands_.size()) return;
        auto& state = hands_[static_cast<std::size_t>(tag - first_tag_)];
        if (state != hand::held) return;
        state = hand::acking;
        acking_.push_back(tag);
    }

    void send_acks() {
        link_->ack(acking_);
        link_->allow(acking_.size());
        notices due;
        {
            lock_guard hold(mutex_);
            --acks_asked_;
            unconfirmed_ += acking_.size();
            counted_.unacked -= acking_.size();
            if (acking_.empty()) changed(due);
        }
        due.tell();
        acking_.clear();
        link_->flush();
    }

    void on_open() override {
        notices due;
        {
            lock_guard hold(mutex_);
            open_ = true;
            changed(due);
        }
        due.tell();
    }

    void on_messages(std::span<const delivery> messages, ns now) override {
        for (std::size_t i = 0; i < messages.size(); ++i) hands_.push_back() = hand::held;
        notices due;
        {
            lock_guard hold(mutex_);
            keep(messages, now);
            changed(due);
        }
        due.tell();
    }

    void keep(std::span<const delivery> messages, ns now) HEADRACE_REQUIRES(mutex_) {
        for (const auto& m : messages) {
            auto& kept = inbox_.push_back();
            kept.tag = m.tag;
            kept.id = m.id;
            kept.payload = m.payload;
            kept.broker_id = m.broker_id;
            kept.redelivered = m.redelivered;
            kept.received = now;
            if (m.redelivered) ++counted_.redelivered;
        }
        counted_.received += messages.size();
        counted_.unacked += messages.size();
        counted_.link = link_->counters();
    }

    void on_acked(std::span<const std::uint64_t> tags, ns) override {
        for (const auto tag : tags) hands_[static_cast<std::size_t>(tag - first_tag_)] = hand::done;
        for (; !hands_.empty() && hands_.front() == hand::done; ++first_tag_) hands_.pop_front();
        notices due;
        {
            lock_guard hold(mutex_);
            counted_.acked += tags.size();
            unconfirmed_ -= tags.size();
            counted_.link = link_->counters();
            changed(due);
        }
        due.tell();
    }

    void on_dead(const failure& why) override { fail(why); }

    void fail(failure why) {
        notices due;
        {
            lock_guard hold(mutex_);
            if (failure_) return;
            failure_ = std::move(why);
            changed(due);
        }
        due.tell();
    }

    net::io_thread& thread_;
    const consumer_options options_;
    std::unique_ptr<consumer_link> link_;

    // The I/O thread's.
    ring<hand> hands_;  // received, by tag
    std::uint64_t first_tag_ = 0;
    std::vector<std::uint64_t> acking_;

    mutable mutex mutex_;
    condition changed_;
    bool open_ HEADRACE_GUARDED_BY(mutex_) = false;
    ring<message> inbox_ HEADRACE_GUARDED_BY(mutex_);
    std::size_t acks_asked_ HEADRACE_GUARDED_BY(mutex_) = 0;   // calls the I/O thread has not seen yet
    std::size_t unconfirmed_ HEADRACE_GUARDED_BY(mutex_) = 0;  // acks that the broker has not confirmed
    counters counted_ HEADRACE_GUARDED_BY(mutex_);
    failure failure_ HEADRACE_GUARDED_BY(mutex_);
    notices when_open_ HEADRACE_GUARDED_BY(mutex_);
    notices when_received_ HEADRACE_GUARDED_BY(mutex_);
    notices when_settled_ HEADRACE_GUARDED_BY(mutex_);
};

consumer::consumer(std::shared_ptr<core> c, std::shared_ptr<net::runtime> runtime)
    : runtime_(std::move(runtime)), core_(std::move(c)) {}

consumer::~consumer() {
    close();
}

failure consumer::make(consumer_options options, std::shared_ptr<net::runtime> runtime,
                       std::unique_ptr<consumer>& out) {
    if (options.prefetch == 0) return failure::of(errc::invalid_argument, "prefetch must be at least 1 message");
    if (options.claim_idle.count() <= 0) return failure::of(errc::invalid_argument, "claim_idle must be more than 0");
    auto shared = std::make_shared<core>(runtime->next(), std::move(options));
    if (auto bad = shared->make_link()) return bad;
    shared->open();
    out = std::unique_ptr<consumer>(new consumer(std::move(shared), std::move(runtime)));
    return {};
}

namespace {
const failure& after_fork() {
    static const auto why =
        failure::of(errc::forked, "this consumer was made before fork(); make a new one in the child");
    return why;
}
}  // namespace

bool consumer::wait_open(ns timeout) {
    return runtime_->forked() || core_->wait_open(timeout);
}
bool consumer::receive(ns timeout, std::size_t most, std::vector<message>& out) {
    return !runtime_->forked() && core_->receive(timeout, most, out);
}
void consumer::ack(std::vector<std::uint64_t> tags) {
    if (!runtime_->forked()) core_->ack(std::move(tags));
}
void consumer::ack_through(std::uint64_t tag) {
    if (!runtime_->forked()) core_->ack_through(tag);
}
bool consumer::wait_settled(ns timeout) {
    return runtime_->forked() || core_->wait_settled(timeout);
}
void consumer::when_open(notice& n) {
    runtime_->forked() ? n.told() : core_->when_open(n);
}
void consumer::when_received(notice& n) {
    runtime_->forked() ? n.told() : core_->when_received(n);
}
void consumer::when_settled(notice& n) {
    runtime_->forked() ? n.told() : core_->when_settled(n);
}
failure consumer::failed() const {
    return runtime_->forked() ? after_fork() : core_->failed();
}
void consumer::close() {
    if (!runtime_->forked()) core_->close();
}
bool consumer::closed() const {
    return failed().code == errc::closed;
}
consumer::counters consumer::stats() const {
    return core_->stats();
}

}  // namespace headrace::mq
