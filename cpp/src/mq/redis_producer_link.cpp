// The Asio shell of redis_producer_session.
#include "adapters.hpp"

#include <headrace/mq/redis_producer.hpp>

namespace headrace::mq {
namespace {

class redis_producer_link final : public producer_link, private redis::connection::listener {
public:
    redis_producer_link(net::io_thread& thread, redis::connection_options options, redis_producer_options producing,
                        producer_link::listener& sink)
        : events_(sink),
          connection_(redis::connection::make(thread, std::move(options), *this)),
          session_(std::move(producing), connection_->commands()) {}
    ~redis_producer_link() override { redis_producer_link::close(); }

    void open() override { connection_->open(); }
    void send(std::uint64_t tag, std::string_view id, std::string_view payload) override {
        session_.add(tag, id, payload);
    }
    bool prepare(std::uint64_t tag, std::string_view id, std::string_view payload) override {
        return session_.prepare(tag, id, payload);
    }
    void release(std::size_t messages) override { session_.release(messages); }
    void end_batch() override { session_.end_batch(); }
    void flush() override { connection_->flush(); }
    void close() override {
        closed_ = true;
        connection_->close();
    }
    link_counters counters() const override {
        auto counted = from_connection(connection_->stats());
        counted.requests = session_.requests();
        counted.resent = connection_->commands().replayed();
        return counted;
    }

private:
    void on_up() override {
        if (!std::exchange(opened_, true)) events_.on_open();
    }
    void on_down(const failure&) override {
        session_.on_lost();
        report();
        if (opened_ && !closed_) events_.on_resend();
    }
    void on_dead(const failure& why) override {
        report();
        if (!closed_) events_.on_dead(why);
    }
    void on_batch_end() override { report(); }

    void report() {
        if (closed_) return;
        if (!session_.acked().empty()) events_.on_acks(session_.acked(), session_.acked_at());
        for (const auto& [tag, text] : session_.refused()) {
            if (closed_) return;
            events_.on_refused(tag,
                               failure::of(errc::server_error, connection_->display() + " refused a message: " + text));
        }
        session_.clear_results();
    }

    producer_link::listener& events_;
    std::shared_ptr<redis::connection> connection_;
    redis_producer_session session_;
    bool opened_ = false;
    bool closed_ = false;
};

}  // namespace

failure make_redis_producer_link(const net::url& address, const producer_link_options& options, net::io_thread& thread,
                                 producer_link::listener& events, std::unique_ptr<producer_link>& out) {
    redis::connection_options connection;
    redis_producer_options producing{options.topic, options.batch, 0};
    if (auto bad = parse_redis_mq_address(address, connection, producing.max_len)) return bad;
    connection.give_up_after = options.give_up_after;
    out = std::make_unique<redis_producer_link>(thread, std::move(connection), std::move(producing), events);
    return {};
}

}  // namespace headrace::mq
