#include <atomic>
#include <headrace/redis/client.hpp>

namespace headrace::redis {
namespace {

// The replies of one call, walked on the I/O thread, waited for on the caller's.
class call_state final : public call, public reply_handler {
public:
    explicit call_state(std::size_t commands) : missing_(commands) { values_.reserve(commands); }

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

    void fail_all(const failure& why) {
        failure_ = why;
        missing_ = 1;
        answered();
    }

private:
    void answered() {
        if (--missing_ != 0) return;
        lock_guard hold(mutex_);
        complete_ = true;
        changed_.notify_all();
    }

    // Written on the I/O thread only, read by the caller once complete_.
    value_builder builder_;
    std::vector<value> values_;
    failure failure_;
    std::size_t missing_;

    mutex mutex_;
    condition changed_;
    bool complete_ HEADRACE_GUARDED_BY(mutex_) = false;
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
        std::shared_ptr<call_state> state;
        ns deadline;
    };

    void open() {
        thread_.post([self = shared_from_this()] { self->connection_->open(); });
    }

    std::shared_ptr<call> submit(submission s) {
        auto state = s.state;
        bool wake = false;
        {
            lock_guard hold(mutex_);
            if (dead_) {
                hold.unlock();
                state->fail_all(dead_reason());
                return state;
            }
            if (pending_.load(std::memory_order_relaxed) + s.sizes.size() > max_queue_size_) {
                hold.unlock();
                state->fail_all(failure::of(errc::queue_full, display_ + ": more than " +
                                                                  std::to_string(max_queue_size_) +
                                                                  " commands wait for replies; raise max_queue_size or "
                                                                  "send smaller pipelines"));
                return state;
            }
            pending_ += s.sizes.size();
            wake = waiting_.empty();
            waiting_.push_back(std::move(s));
        }
        if (wake) thread_.post([self = shared_from_this()] { self->drain(); });
        return state;
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
    // One command's share of a call: counts the queue down, then passes on.
    class slot final : public reply_handler {
    public:
        slot(std::shared_ptr<core> owner, std::shared_ptr<call_state> state)
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
        std::shared_ptr<call_state> state_;
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
                pending_ -= s.sizes.size();
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

void client::open() {
    core_->open();
}

std::shared_ptr<call> client::submit(std::string formatted, const std::vector<std::size_t>& sizes, ns deadline) {
    auto state = std::make_shared<call_state>(sizes.size());
    if (runtime_->forked()) {
        state->fail_all(failure::of(errc::forked, "this client was made before fork(); make a new one in the child"));
        return state;
    }
    return core_->submit({std::move(formatted), sizes, std::move(state), deadline});
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
