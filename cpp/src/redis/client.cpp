#include <atomic>
#include <headrace/redis/client.hpp>

namespace headrace::redis {
namespace {

// The replies of one submission, walked on the I/O thread.
class replies : public reply_handler {
public:
    explicit replies(std::size_t commands) : missing_(commands) { values_.reserve(commands); }

    void begin() override { builder_.begin(); }
    void status(std::string_view text) override { builder_.status(text); }
    void error(std::string_view text) override { builder_.error(text); }
    void string(std::string_view bytes) override { builder_.string(bytes); }
    void integer(std::int64_t number) override { builder_.integer(number); }
    void nil() override { builder_.nil(); }
    void array(std::size_t elements) override { builder_.array(elements); }

    void done(ns) override {
        values_.push_back(builder_.take());
        answered();
    }
    void lost(const failure& why) override {
        if (!failure_) failure_ = why;
        answered();
    }
    void fail_all(const failure& why) {
        failure_ = why;
        missing_ = 1;
        answered();
    }

protected:
    virtual void complete() = 0;

    std::vector<value> values_;
    failure failure_;

private:
    void answered() {
        if (--missing_ == 0) complete();
    }

    value_builder builder_;
    std::size_t missing_;
};

// Waited for on the caller's thread, which reads the replies once complete_.
class call_state final : public call, public replies {
public:
    using replies::replies;

    bool wait(ns timeout) override {
        const ns deadline = monotonic_now() + timeout;
        lock_guard hold(mutex_);
        while (!complete_) {
            const ns left = deadline - monotonic_now();
            if (left.count() <= 0) return false;
            changed_.wait_for(mutex_, left);
        }
        return true;
    }
    const failure& failed() const override { return failure_; }
    std::vector<value> take() override { return std::move(values_); }

private:
    void complete() override {
        lock_guard hold(mutex_);
        complete_ = true;
        changed_.notify_all();
    }

    mutex mutex_;
    condition changed_;
    bool complete_ HEADRACE_GUARDED_BY(mutex_) = false;
};

// Sinks that ended and were not told yet, oldest first.
class ended_sinks {
public:
    bool empty() const noexcept { return first_ == nullptr; }
    void add(call_sink& sink) noexcept {
        sink.next_ended = nullptr;
        (first_ == nullptr ? first_ : last_->next_ended) = &sink;
        last_ = &sink;
    }
    void hand_over() noexcept {
        if (auto* first = std::exchange(first_, nullptr)) first->hand_over();
    }

private:
    call_sink* first_ = nullptr;
    call_sink* last_ = nullptr;
};

}  // namespace

// What the I/O thread holds. Callers reach it through one queue and one post per burst.
class client::core final : public connection::listener, public std::enable_shared_from_this<client::core> {
public:
    core(net::io_thread& thread, connection_options options, std::size_t max_queue_size)
        : thread_(thread), max_queue_size_(max_queue_size), display_(options.where.display()) {
        connection_ = connection::make(thread, std::move(options), *this);
    }

    struct submission {
        std::string bytes;
        std::vector<std::size_t> sizes;
        std::shared_ptr<replies> state;
        ns deadline;

        std::size_t commands() const noexcept { return sizes.empty() ? 1 : sizes.size(); }
    };

    void open() {
        thread_.post([self = shared_from_this()] { self->connection_->open(); });
    }

    void submit(submission s) {
        failure refused;
        bool wake = false;
        {
            lock_guard hold(mutex_);
            refused = enqueue(s, wake);
        }
        if (wake) thread_.post([self = shared_from_this()] { self->drain(); });
        if (refused) s.state->fail_all(refused);
    }

    void submit(std::vector<request> requests) {
        std::vector<std::pair<call_sink*, failure>> refused;
        bool wake = false;
        {
            lock_guard hold(mutex_);
            for (auto& r : requests) {
                const std::size_t commands = r.sizes.empty() ? 1 : r.sizes.size();
                submission s{std::move(r.formatted), std::move(r.sizes),
                             std::make_shared<told>(shared_from_this(), *r.sink, commands), r.deadline};
                if (auto why = enqueue(s, wake)) refused.emplace_back(r.sink, std::move(why));
            }
        }
        if (wake) thread_.post([self = shared_from_this()] { self->drain(); });
        refuse(refused);
    }

    static void refuse(const std::vector<std::pair<call_sink*, failure>>& requests) {
        ended_sinks sinks;
        for (const auto& [sink, why] : requests) {
            sink->ended({}, why);
            sinks.add(*sink);
        }
        sinks.hand_over();
    }

    void close() {
        {
            lock_guard hold(mutex_);
            if (!dead_) reason_ = failure::of(errc::closed, "the client of " + display_ + " is closed");
            dead_ = true;
        }
        thread_.post([self = shared_from_this()] {
            self->connection_->close();
            self->drain();
        });
    }

    bool dead() const {
        lock_guard hold(mutex_);
        return dead_;
    }
    bool connected() const { return up_.load(); }
    const std::string& display() const { return display_; }
    connection::counters stats() const {
        lock_guard hold(mutex_);
        return counters_;
    }

private:
    // The replies of a request, whose sink is told.
    class told final : public replies {
    public:
        told(std::shared_ptr<core> owner, call_sink& sink, std::size_t commands)
            : replies(commands), owner_(std::move(owner)), sink_(sink) {}

    private:
        void complete() override {
            sink_.ended(std::move(values_), failure_);
            owner_->tell(sink_);
        }
        std::shared_ptr<core> owner_;
        call_sink& sink_;
    };

    failure enqueue(submission& s, bool& wake) HEADRACE_REQUIRES(mutex_) {
        if (dead_) return reason_;
        if (pending_.load(std::memory_order_relaxed) + s.commands() > max_queue_size_) {
            return failure::of(errc::queue_full, display_ + ": more than " + std::to_string(max_queue_size_) +
                                                     " commands wait for replies; raise max_queue_size or send "
                                                     "smaller pipelines");
        }
        pending_ += s.commands();
        if (waiting_.empty()) wake = true;
        waiting_.push_back(std::move(s));
        return {};
    }

    // Those of one read are handed over at its end; what ends between reads, right after.
    void tell(call_sink& sink) {
        if (ended_.empty()) thread_.post([self = shared_from_this()] { self->ended_.hand_over(); });
        ended_.add(sink);
    }
    void on_batch_end() override { ended_.hand_over(); }

    // One command's share of a call: counts the queue down, then passes on.
    class slot final : public reply_handler {
    public:
        slot(std::shared_ptr<core> owner, std::shared_ptr<replies> state)
            : owner_(std::move(owner)), state_(std::move(state)) {}
        void begin() override { state_->begin(); }
        void status(std::string_view text) override { state_->status(text); }
        void error(std::string_view text) override { state_->error(text); }
        void string(std::string_view bytes) override { state_->string(bytes); }
        void integer(std::int64_t number) override { state_->integer(number); }
        void nil() override { state_->nil(); }
        void array(std::size_t elements) override { state_->array(elements); }
        void done(ns now) override {
            --owner_->pending_;
            state_->done(now);
        }
        void lost(const failure& why) override {
            --owner_->pending_;
            state_->lost(why);
        }

    private:
        std::shared_ptr<core> owner_;
        std::shared_ptr<replies> state_;
    };

    void drain() {
        std::vector<submission> burst;
        bool dead = false;
        {
            lock_guard hold(mutex_);
            burst.swap(waiting_);
            dead = dead_;
            counters_ = connection_->stats();
        }
        for (auto& s : burst) {
            if (dead) {
                pending_ -= s.commands();
                s.state->fail_all(dead_reason());
            } else {
                queue(s);
            }
        }
        if (!dead) connection_->flush();
    }

    void queue(submission& s) {
        auto& session = connection_->commands();
        auto handler = std::make_shared<slot>(shared_from_this(), s.state);
        if (s.sizes.empty()) s.sizes.push_back(s.bytes.size());
        std::string_view rest = s.bytes;
        for (const std::size_t size : s.sizes) {
            session.commands().append(rest.substr(0, size));
            rest.remove_prefix(size);
            session.expect_reply(handler, s.deadline, when_lost::fail);
        }
    }

    failure dead_reason() const {
        lock_guard hold(mutex_);
        return reason_;
    }

    void on_up() override { up_ = true; }
    void on_down(const failure&) override { up_ = false; }
    void on_dead(const failure& why) override {
        up_ = false;
        {
            lock_guard hold(mutex_);
            if (!dead_) reason_ = why;
            dead_ = true;
        }
        drain();
    }

    net::io_thread& thread_;
    const std::size_t max_queue_size_;
    const std::string display_;
    std::shared_ptr<connection> connection_;
    ended_sinks ended_;
    std::atomic<bool> up_{false};
    std::atomic<std::size_t> pending_{0};

    mutable mutex mutex_;
    std::vector<submission> waiting_ HEADRACE_GUARDED_BY(mutex_);
    bool dead_ HEADRACE_GUARDED_BY(mutex_) = false;
    failure reason_ HEADRACE_GUARDED_BY(mutex_);
    connection::counters counters_ HEADRACE_GUARDED_BY(mutex_);
};

client::client(std::shared_ptr<core> c, std::shared_ptr<net::runtime> runtime)
    : runtime_(std::move(runtime)), core_(std::move(c)) {}

client::~client() {
    if (!runtime_->forked()) core_->close();
}

failure client::make(std::string_view address, client_options options, std::shared_ptr<net::runtime> runtime,
                     std::shared_ptr<client>& out) {
    net::url parsed;
    if (auto bad = net::parse_url(address, parsed)) return bad;
    connection_options connection;
    if (auto bad = parse_address(parsed, connection)) return bad;
    connection.connect_timeout = options.connect_timeout;
    connection.give_up_after = options.give_up_after;
    auto shared = std::make_shared<core>(runtime->next(), std::move(connection), options.max_queue_size);
    out = std::shared_ptr<client>(new client(std::move(shared), std::move(runtime)));
    return {};
}

namespace {
failure after_fork() {
    return failure::of(errc::forked, "this client was made before fork(); make a new one in the child");
}
}  // namespace

void client::open() {
    core_->open();
}

std::shared_ptr<call> client::submit(std::string formatted, const std::vector<std::size_t>& sizes, ns deadline) {
    auto state = std::make_shared<call_state>(sizes.size());
    if (runtime_->forked()) {
        state->fail_all(after_fork());
    } else {
        core_->submit({std::move(formatted), sizes, state, deadline});
    }
    return state;
}

void client::submit(std::vector<request> requests) {
    if (!runtime_->forked()) return core_->submit(std::move(requests));
    std::vector<std::pair<call_sink*, failure>> refused;
    for (const auto& r : requests) refused.emplace_back(r.sink, after_fork());
    core::refuse(refused);
}

void client::close() {
    if (!runtime_->forked()) core_->close();
}
bool client::closed() const {
    return core_->dead();
}
bool client::connected() const {
    return core_->connected();
}
std::string client::display() const {
    return core_->display();
}
connection::counters client::stats() const {
    return core_->stats();
}

}  // namespace headrace::redis
