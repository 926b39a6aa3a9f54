#include <headrace/base/inline_text.hpp>
#include <headrace/base/mutex.hpp>
#include <headrace/mq/id.hpp>
#include <headrace/mq/producer.hpp>
#include <headrace/mq/producer_link.hpp>
#include <headrace/mq/send_window.hpp>
#include <unordered_map>

namespace headrace::mq {
namespace {

// Messages that wait for the I/O thread: one allocation for all their bytes.
struct burst {
    struct item {
        std::size_t id, payload, end;  // offsets into bytes
        ack_sink* sink;                // or null
    };
    std::string bytes;
    std::vector<item> items;

    void add(std::string_view id, std::string_view payload, ack_sink* sink) {
        const auto at = bytes.size();
        bytes.append(id);
        bytes.append(payload);
        items.push_back({at, at + id.size(), bytes.size(), sink});
    }
    std::string_view id(const item& i) const { return {bytes.data() + i.id, i.payload - i.id}; }
    std::string_view payload(const item& i) const { return {bytes.data() + i.payload, i.end - i.payload}; }
    void clear() {
        bytes.clear();
        items.clear();
    }
};

// Sinks with their answers, oldest first, until the lock is free and they are told.
class answered_sinks {
public:
    void add(ack_sink& sink, acknowledgement a) { answers_.emplace_back(&sink, std::move(a)); }
    void hand_over() noexcept {
        if (answers_.empty()) return;
        ack_sink* next = nullptr;
        for (auto it = answers_.rbegin(); it != answers_.rend(); ++it) {
            it->first->acknowledged(std::move(it->second));
            it->first->next_acked = std::exchange(next, it->first);
        }
        answers_.clear();
        next->hand_over();
    }

private:
    std::vector<std::pair<ack_sink*, acknowledgement>> answers_;
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

    outcome try_send(std::string_view payload, std::string_view id, std::string& id_out, ack_sink* sink) {
        bool wake = false;
        {
            lock_guard hold(mutex_);
            if (failure_) return outcome::failed;
            if (full()) return outcome::full;
            id_out = id.empty() ? ids_.at(sent_) : id;
            wake = waiting_.items.empty();
            waiting_.add(id_out, payload, sink);
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

    void when_open(notice& n) { when(n, &core::when_open_); }
    void when_room(notice& n) { when(n, &core::when_room_); }
    void when_settled(notice& n) { when(n, &core::when_settled_); }

    std::vector<acknowledgement> take_acks() {
        notices due;
        std::vector<acknowledgement> taken;
        {
            lock_guard hold(mutex_);
            taken.swap(acks_);
            changed(due);
        }
        due.tell();
        return taken;
    }
    failure failed() const {
        lock_guard hold(mutex_);
        return failure_;
    }

    void close() {
        fail(failure::of(errc::closed, "the producer of topic " + options_.topic + " is closed"));
        thread_.post([self = shared_from_this()] {
            self->link_->close();
            self->fail_sinks();
        });
    }

    counters stats() const {
        lock_guard hold(mutex_);
        return {sent_, acked_, refused_, unacked_, link_counters_};
    }

private:
    bool full() const HEADRACE_REQUIRES(mutex_) { return unacked_ + acks_.size() >= options_.window; }

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
        if (failure_ || has_room()) due.take(when_room_);
        if (failure_ || settled()) due.take(when_settled_);
    }
    // Threads are woken; `due` is to be told once the lock is free.
    void changed(notices& due) HEADRACE_REQUIRES(mutex_) {
        changed_.notify_all();
        take_due(due);
    }

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
            if (item.sink != nullptr) sinks_[tag] = {item.sink, std::string(draining_.id(item))};
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
        notices due;
        {
            lock_guard hold(mutex_);
            open_ = true;
            changed(due);
        }
        due.tell();
    }

    void on_acks(std::span<const std::uint64_t> tags, ns now) override {
        notices due;
        {
            lock_guard hold(mutex_);
            for (const auto tag : tags) settle(tag, now, {});
            acked_ += tags.size();
            unacked_ -= tags.size();
            link_counters_ = link_->counters();
            changed(due);
        }
        due.tell();
        answered_.hand_over();
    }

    void on_refused(std::uint64_t tag, const failure& why) override {
        notices due;
        {
            lock_guard hold(mutex_);
            settle(tag, ns{0}, why);
            ++refused_;
            --unacked_;
            if (!failure_) failure_ = why;
            changed(due);
        }
        due.tell();
        answered_.hand_over();
    }

    void settle(std::uint64_t tag, ns acked, const failure& error) HEADRACE_REQUIRES(mutex_) {
        const auto e = window_.settle(tag);
        if (auto found = sinks_.extract(tag)) {
            answered_.add(*found.mapped().sink, {std::move(found.mapped().id), e.sent, acked, error});
        }
        if (!options_.collect_acks) return;
        acks_.push_back(
            {std::string(names_[static_cast<std::size_t>(tag - first_name_)].view()), e.sent, acked, error});
        // Names go when the window has forgotten their tags.
        for (; first_name_ < window_.first_tag(); ++first_name_) names_.pop_front();
    }

    void on_resend() override { window_.resend(); }
    void on_dead(const failure& why) override {
        fail(why);
        fail_sinks();
    }

    void fail(failure why) {
        notices due;
        {
            lock_guard hold(mutex_);
            if (failure_) return;
            if (unacked_ > 0) why.message += "; " + std::to_string(unacked_) + " messages were not acknowledged";
            failure_ = std::move(why);
            changed(due);
        }
        due.tell();
    }

    // Nothing will be acknowledged any more: those sent and those that still wait.
    void fail_sinks() {
        burst unsent;
        failure why;
        {
            lock_guard hold(mutex_);
            std::swap(unsent, waiting_);
            why = failure_;
        }
        for (auto& [tag, waiting] : sinks_) answered_.add(*waiting.sink, {std::move(waiting.id), ns{0}, ns{0}, why});
        sinks_.clear();
        for (const auto& item : unsent.items) {
            if (item.sink != nullptr) answered_.add(*item.sink, {std::string(unsent.id(item)), ns{0}, ns{0}, why});
        }
        answered_.hand_over();
    }

    net::io_thread& thread_;
    const producer_options options_;
    std::unique_ptr<producer_link> link_;

    // The I/O thread's.
    struct waiting_sink {
        ack_sink* sink;
        std::string id;
    };
    burst draining_;
    std::unordered_map<std::uint64_t, waiting_sink> sinks_;  // by tag
    answered_sinks answered_;

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
    notices when_open_ HEADRACE_GUARDED_BY(mutex_);
    notices when_room_ HEADRACE_GUARDED_BY(mutex_);
    notices when_settled_ HEADRACE_GUARDED_BY(mutex_);

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
producer::outcome producer::try_send(std::string_view payload, std::string_view id, std::string& id_out,
                                     ack_sink* sink) {
    return runtime_->forked() ? outcome::failed : core_->try_send(payload, id, id_out, sink);
}
void producer::when_open(notice& n) {
    runtime_->forked() ? n.told() : core_->when_open(n);
}
void producer::when_room(notice& n) {
    runtime_->forked() ? n.told() : core_->when_room(n);
}
void producer::when_settled(notice& n) {
    runtime_->forked() ? n.told() : core_->when_settled(n);
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
