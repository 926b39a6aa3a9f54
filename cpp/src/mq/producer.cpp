#include <headrace/base/inline_text.hpp>
#include <headrace/base/mutex.hpp>
#include <headrace/mq/id.hpp>
#include <headrace/mq/producer.hpp>
#include <headrace/mq/producer_link.hpp>
#include <headrace/mq/send_window.hpp>

namespace headrace::mq {
namespace {

// Messages that wait for the I/O thread: one allocation for all their bytes.
struct burst {
    struct item {
        std::size_t id, payload, end;  // offsets into bytes
    };
    std::string bytes;
    std::vector<item> items;

    void add(std::string_view id, std::string_view payload) {
        const auto at = bytes.size();
        bytes.append(id);
        bytes.append(payload);
        items.push_back({at, at + id.size(), bytes.size()});
    }
    std::string_view id(const item& i) const { return {bytes.data() + i.id, i.payload - i.id}; }
    std::string_view payload(const item& i) const { return {bytes.data() + i.payload, i.end - i.payload}; }
    void clear() {
        bytes.clear();
        items.clear();
    }
};

}  // namespace

class producer::core final : public std::enable_shared_from_this<producer::core>, private producer_link::listener {
public:
    core(net::io_thread& thread, producer_options options)
        : thread_(thread),
          options_(std::move(options)),
          ids_(options_.instance.empty() ? random_instance() : options_.instance, 0),
          window_(options_.window) {}

    failure make_link() {
        const producer_link_options link{options_.topic, options_.batch, options_.give_up_after};
        return make_producer_link(options_.url, link, thread_, *this, link_);
    }
    void open() {
        thread_.post([self = shared_from_this()] { self->link_->open(); });
    }

    outcome try_send(std::string_view payload, std::string_view id, std::string& id_out) {
        bool wake = false;
        {
            lock_guard hold(mutex_);
            if (failure_) return outcome::failed;
            if (full()) return outcome::full;
            id_out = id.empty() ? ids_.at(sent_) : id;
            wake = waiting_.items.empty();
            waiting_.add(id_out, payload);
            ++unacked_;
            ++sent_;
        }
        if (wake) thread_.post([self = shared_from_this()] { self->drain(); });
        return outcome::queued;
    }

    bool wait(ns timeout, bool (core::*ready)() const) {
        const ns deadline = monotonic_now() + timeout;
        lock_guard hold(mutex_);
        while (!(this->*ready)() && !failure_) {
            const ns left = deadline - monotonic_now();
            if (left.count() <= 0) return false;
            changed_.wait_for(mutex_, left);
        }
        return true;
    }
    // Predicates of wait(): called with the mutex held.
    bool open_now() const HEADRACE_REQUIRES(mutex_) { return open_; }
    bool has_room() const HEADRACE_REQUIRES(mutex_) { return !full(); }
    bool settled() const HEADRACE_REQUIRES(mutex_) { return unacked_ == 0; }

    bool wait_open(ns timeout) { return wait(timeout, &core::open_now); }
    bool wait_room(ns timeout) { return wait(timeout, &core::has_room); }
    bool wait_settled(ns timeout) { return wait(timeout, &core::settled); }

    std::vector<acknowledgement> take_acks() {
        lock_guard hold(mutex_);
        std::vector<acknowledgement> taken;
        taken.swap(acks_);
        changed_.notify_all();
        return taken;
    }
    failure failed() const {
        lock_guard hold(mutex_);
        return failure_;
    }

    void close() {
        fail(failure::of(errc::closed, "the producer of topic " + options_.topic + " is closed"));
        thread_.post([self = shared_from_this()] { self->link_->close(); });
    }

    counters stats() const {
        lock_guard hold(mutex_);
        return {sent_, acked_, refused_, unacked_, link_counters_};
    }

private:
    bool full() const HEADRACE_REQUIRES(mutex_) { return unacked_ + acks_.size() >= options_.window; }

    void drain() {
        draining_.clear();
        {
            lock_guard hold(mutex_);
            std::swap(draining_, waiting_);
        }
        const ns now = monotonic_now();
        for (const auto& item : draining_.items) {
            const auto payload = draining_.payload(item);
            const auto tag = window_.add(now, now, static_cast<std::uint32_t>(payload.size()));
            if (options_.collect_acks) names_.push_back().assign(draining_.id(item));
            link_->send(tag, draining_.id(item), payload);
        }
        link_->end_batch();
        link_->flush();
        publish_link();
    }

    void publish_link() {
        lock_guard hold(mutex_);
        link_counters_ = link_->counters();
    }

    void on_open() override {
        lock_guard hold(mutex_);
        open_ = true;
        changed_.notify_all();
    }

    void on_acks(std::span<const std::uint64_t> tags, ns now) override {
        lock_guard hold(mutex_);
        for (const auto tag : tags) settle(tag, now, {});
        acked_ += tags.size();
        unacked_ -= tags.size();
        link_counters_ = link_->counters();
        changed_.notify_all();
    }

    void on_refused(std::uint64_t tag, const failure& why) override {
        lock_guard hold(mutex_);
        settle(tag, ns{0}, why);
        ++refused_;
        --unacked_;
        if (!failure_) failure_ = why;
        changed_.notify_all();
    }

    void settle(std::uint64_t tag, ns acked, const failure& error) HEADRACE_REQUIRES(mutex_) {
        const auto e = window_.settle(tag);
        if (!options_.collect_acks) return;
        acks_.push_back(
            {std::string(names_[static_cast<std::size_t>(tag - first_name_)].view()), e.sent, acked, error});
        // Names go when the window has forgotten their tags.
        for (; first_name_ < window_.first_tag(); ++first_name_) names_.pop_front();
    }

    void on_resend() override { window_.resend(); }
    void on_dead(const failure& why) override { fail(why); }

    void fail(failure why) {
        lock_guard hold(mutex_);
        if (failure_) return;
        if (unacked_ > 0) why.message += "; " + std::to_string(unacked_) + " messages were not acknowledged";
        failure_ = std::move(why);
        changed_.notify_all();
    }

    net::io_thread& thread_;
    const producer_options options_;
    std::unique_ptr<producer_link> link_;

    // The I/O thread's.
    burst draining_;

    mutable mutex mutex_;
    condition changed_;
    id_writer ids_ HEADRACE_GUARDED_BY(mutex_);
    burst waiting_ HEADRACE_GUARDED_BY(mutex_);
    bool open_ HEADRACE_GUARDED_BY(mutex_) = false;
    std::uint64_t sent_ HEADRACE_GUARDED_BY(mutex_) = 0;
    std::uint64_t acked_ HEADRACE_GUARDED_BY(mutex_) = 0;
    std::uint64_t refused_ HEADRACE_GUARDED_BY(mutex_) = 0;
    std::uint64_t unacked_ HEADRACE_GUARDED_BY(mutex_) = 0;
    std::vector<acknowledgement> acks_ HEADRACE_GUARDED_BY(mutex_);
    link_counters link_counters_ HEADRACE_GUARDED_BY(mutex_);
    failure failure_ HEADRACE_GUARDED_BY(mutex_);

    // The I/O thread's again: unacknowledged messages, and their ids while acknowledgements are collected.
    send_window window_;
    ring<inline_text> names_;
    std::uint64_t first_name_ = 0;
};

producer::producer(std::shared_ptr<core> c, std::shared_ptr<net::runtime> runtime)
    : runtime_(std::move(runtime)), core_(std::move(c)) {}

producer::~producer() {
    close();
}

failure producer::make(producer_options options, std::shared_ptr<net::runtime> runtime,
                       std::unique_ptr<producer>& out) {
    if (options.window == 0) return failure::of(errc::invalid_argument, "window must be at least 1 message");
    if (!options.instance.empty() && !valid_instance(options.instance)) {
        return failure::of(errc::invalid_argument, "instance must be 1 to 24 characters of [0-9A-Za-z_.-]");
    }
    auto shared = std::make_shared<core>(runtime->next(), std::move(options));
    if (auto bad = shared->make_link()) return bad;
    shared->open();
    out = std::unique_ptr<producer>(new producer(std::move(shared), std::move(runtime)));
    return {};
}

namespace {
const failure& after_fork() {
    static const auto why =
        failure::of(errc::forked, "this producer was made before fork(); make a new one in the child");
    return why;
}
}  // namespace

bool producer::wait_open(ns timeout) {
    return runtime_->forked() || core_->wait_open(timeout);
}
producer::outcome producer::try_send(std::string_view payload, std::string_view id, std::string& id_out) {
    return runtime_->forked() ? outcome::failed : core_->try_send(payload, id, id_out);
}
bool producer::wait_room(ns timeout) {
    return runtime_->forked() || core_->wait_room(timeout);
}
bool producer::wait_settled(ns timeout) {
    return runtime_->forked() || core_->wait_settled(timeout);
}
std::vector<acknowledgement> producer::take_acks() {
    return core_->take_acks();
}
failure producer::failed() const {
    return runtime_->forked() ? after_fork() : core_->failed();
}
void producer::close() {
    if (!runtime_->forked()) core_->close();
}
bool producer::closed() const {
    return failed().code == errc::closed;
}
producer::counters producer::stats() const {
    return core_->stats();
}

}  // namespace headrace::mq
