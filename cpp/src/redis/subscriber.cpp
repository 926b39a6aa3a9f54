#include <boost/asio/steady_timer.hpp>
#include <headrace/base/mutex.hpp>
#include <headrace/base/ring.hpp>
#include <headrace/redis/subscriber.hpp>

namespace headrace::redis {
namespace {

// Often enough that a silent peer is noticed within the session's silence_limit.
constexpr auto ping_every = std::chrono::seconds{4};

}  // namespace

class subscriber::core final : public connection::listener, public std::enable_shared_from_this<subscriber::core> {
public:
    core(net::io_thread& thread, connection_options connect, subscriber_options options)
        : thread_(thread), options_(options), display_(connect.where.display()), ping_timer_(thread.context()) {
        connection_ = connection::make(thread, std::move(connect), *this);
    }

    void open() {
        thread_.post([self = shared_from_this()] {
            self->connection_->commands().take_pushes(std::make_shared<pushes>(self));
            self->connection_->open();
        });
    }

    void subscribe(bool pattern, std::vector<std::string> names) {
        if (names.empty()) return;
        {
            lock_guard hold(mutex_);
            subscribed_.want(pattern, names);
        }
        thread_.post([self = shared_from_this(), pattern, names = std::move(names)] {
            self->send(pattern ? "PSUBSCRIBE" : "SUBSCRIBE", names);
        });
    }

    void unsubscribe(bool pattern, const std::vector<std::string>& names) {
        std::vector<std::string> dropped;
        {
            lock_guard hold(mutex_);
            dropped = subscribed_.drop(pattern, names);
        }
        if (dropped.empty()) return;
        thread_.post([self = shared_from_this(), pattern, dropped = std::move(dropped)] {
            self->send(pattern ? "PUNSUBSCRIBE" : "UNSUBSCRIBE", dropped);
        });
    }

    bool wait_subscribed(ns timeout) {
        lock_guard hold(mutex_);
        for (const ns deadline = monotonic_now() + timeout; !subscribed_.complete() && !failure_;) {
            if (!wait_until(deadline)) return false;
        }
        return true;
    }

    bool receive(ns timeout, std::size_t most, std::vector<published>& out) {
        lock_guard hold(mutex_);
        for (const ns deadline = monotonic_now() + timeout; inbox_.empty();) {
            if (failure_ || !wait_until(deadline)) return false;
        }
        for (; most > 0 && !inbox_.empty(); --most) {
            out.push_back(std::move(inbox_.front()));
            inbox_.pop_front();
        }
        return true;
    }

    void when_subscribed(notice& n) { when(n, &core::when_subscribed_); }
    void when_received(notice& n) { when(n, &core::when_received_); }

    failure failed() const {
        lock_guard hold(mutex_);
        return failure_;
    }
    const std::string& display() const { return display_; }
    void close() {
        fail(failure::of(errc::closed, "the subscription to " + display_ + " is closed"));
        thread_.post([self = shared_from_this()] { self->shut(); });
    }
    counters stats() const {
        lock_guard hold(mutex_);
        auto c = counted_;
        c.waiting = inbox_.size();
        return c;
    }

private:
    // Builds each pushed reply and passes it on.
    class pushes final : public reply_handler {
    public:
        explicit pushes(const std::shared_ptr<core>& owner) : owner_(owner) {}
        void begin() override { builder_.begin(); }
        void status(std::string_view text) override { builder_.status(text); }
        void error(std::string_view text) override { builder_.error(text); }
        void string(std::string_view bytes) override { builder_.string(bytes); }
        void integer(std::int64_t number) override { builder_.integer(number); }
        void nil() override { builder_.nil(); }
        void array(std::size_t elements) override { builder_.array(elements); }
        void done(ns) override {
            if (const auto owner = owner_.lock()) owner->on_push(builder_.take());
        }
        void lost(const failure&) override {}

    private:
        std::weak_ptr<core> owner_;
        value_builder builder_;
    };

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
        if (failure_ || subscribed_.complete()) due.take(when_subscribed_);
        if (failure_ || !inbox_.empty()) due.take(when_received_);
    }

    void send(std::string_view command, const std::vector<std::string>& names) {
        if (!connection_->up()) return;  // on_up() sends what is wanted by then
        std::vector<std::string_view> words{command};
        words.insert(words.end(), names.begin(), names.end());
        append_command(connection_->commands().commands(), words);
        connection_->commands().expect_pushes();
        connection_->flush();
    }

    void on_up() override {
        for (const bool pattern : {false, true}) {
            std::vector<std::string> names;
            {
                lock_guard hold(mutex_);
                const auto& wanted = subscribed_.wanted(pattern);
                names.assign(wanted.begin(), wanted.end());
            }
            if (!names.empty()) send(pattern ? "PSUBSCRIBE" : "SUBSCRIBE", names);
        }
        ping_later();
    }

    void ping_later() {
        ping_timer_.expires_after(ping_every);
        ping_timer_.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
            if (ec || !self->connection_->up()) return;
            self->send("PING", {});
            self->ping_later();
        });
    }

    void on_push(value&& reply) {
        if (reply.type == value::kind::error) {
            refused_ = failure::of(errc::server_error, display_ + ": " + reply.text);
            return;
        }
        lock_guard hold(mutex_);
        if (auto message = subscribed_.on_push(std::move(reply))) keep(std::move(*message));
    }

    void keep(published&& message) HEADRACE_REQUIRES(mutex_) {
        ++counted_.received;
        if (inbox_.size() >= options_.max_queue_size) {
            if (!options_.drop_oldest) {
                ++counted_.dropped;
                overflowed_ = true;
                return;
            }
            ++counted_.dropped;
            inbox_.pop_front();
        }
        inbox_.push_back() = std::move(message);
    }

    // One wake for everything that one read brought.
    void on_batch_end() override {
        notices due;
        {
            lock_guard hold(mutex_);
            counted_.reconnects = connection_->stats().reconnects;
            counted_.bytes_in = connection_->stats().bytes_in;
            if (overflowed_ && !failure_) {
                failure_ =
                    failure::of(errc::queue_full, display_ + ": more than " + std::to_string(options_.max_queue_size) +
                                                      " messages wait to be received; receive faster, raise "
                                                      "max_queue_size, or let the oldest be dropped");
            }
            if (refused_ && !failure_) failure_ = refused_;
            changed_.notify_all();
            take_due(due);
        }
        due.tell();
        if (overflowed_ || refused_) shut();
    }

    void on_down(const failure&) override {
        ping_timer_.cancel();
        lock_guard hold(mutex_);
        subscribed_.on_lost();
    }
    void on_dead(const failure& why) override {
        ping_timer_.cancel();
        fail(why);
    }

    void shut() {
        ping_timer_.cancel();
        connection_->close();
    }

    void fail(failure why) {
        notices due;
        {
            lock_guard hold(mutex_);
            if (failure_) return;
            failure_ = std::move(why);
            changed_.notify_all();
            take_due(due);
        }
        due.tell();
    }

    net::io_thread& thread_;
    const subscriber_options options_;
    const std::string display_;

    // The I/O thread's.
    std::shared_ptr<connection> connection_;
    boost::asio::steady_timer ping_timer_;
    failure refused_;
    bool overflowed_ = false;

    mutable mutex mutex_;
    condition changed_;
    subscriptions subscribed_ HEADRACE_GUARDED_BY(mutex_);
    ring<published> inbox_ HEADRACE_GUARDED_BY(mutex_);
    counters counted_ HEADRACE_GUARDED_BY(mutex_);
    failure failure_ HEADRACE_GUARDED_BY(mutex_);
    notices when_subscribed_ HEADRACE_GUARDED_BY(mutex_);
    notices when_received_ HEADRACE_GUARDED_BY(mutex_);
};

subscriber::subscriber(std::shared_ptr<core> c, std::shared_ptr<net::runtime> runtime)
    : runtime_(std::move(runtime)), core_(std::move(c)) {}

subscriber::~subscriber() {
    close();
}

failure subscriber::make(std::string_view address, subscriber_options options, std::shared_ptr<net::runtime> runtime,
                         std::unique_ptr<subscriber>& out) {
    if (options.max_queue_size == 0) {
        return failure::of(errc::invalid_argument, "max_queue_size must be at least 1 message");
    }
    net::url parsed;
    if (auto bad = net::parse_url(address, parsed)) return bad;
    connection_options connect;
    if (auto bad = parse_address(parsed, connect)) return bad;
    connect.connect_timeout = options.connect_timeout;
    connect.give_up_after = options.give_up_after;
    auto shared = std::make_shared<core>(runtime->next(), std::move(connect), options);
    shared->open();
    out = std::unique_ptr<subscriber>(new subscriber(std::move(shared), std::move(runtime)));
    return {};
}

namespace {
const failure& after_fork() {
    static const auto why =
        failure::of(errc::forked, "this subscription was made before fork(); make a new one in the child");
    return why;
}
}  // namespace

void subscriber::subscribe(kind k, std::vector<std::string> names) {
    if (!runtime_->forked()) core_->subscribe(k == kind::pattern, std::move(names));
}
void subscriber::unsubscribe(kind k, std::vector<std::string> names) {
    if (!runtime_->forked()) core_->unsubscribe(k == kind::pattern, names);
}
bool subscriber::wait_subscribed(ns timeout) {
    return runtime_->forked() || core_->wait_subscribed(timeout);
}
void subscriber::when_subscribed(notice& n) {
    runtime_->forked() ? n.told() : core_->when_subscribed(n);
}
bool subscriber::receive(ns timeout, std::size_t most, std::vector<published>& out) {
    return !runtime_->forked() && core_->receive(timeout, most, out);
}
void subscriber::when_received(notice& n) {
    runtime_->forked() ? n.told() : core_->when_received(n);
}
failure subscriber::failed() const {
    return runtime_->forked() ? after_fork() : core_->failed();
}
void subscriber::close() {
    if (!runtime_->forked()) core_->close();
}
bool subscriber::closed() const {
    return failed().code == errc::closed;
}
std::string subscriber::display() const {
    return core_->display();
}
subscriber::counters subscriber::stats() const {
    return core_->stats();
}

}  // namespace headrace::redis
