// The Asio shell of redis_consumer_session: one connection that reads, one that acknowledges.
#include <headrace/mq/id.hpp>
#include <headrace/mq/redis_consumer.hpp>

#include "adapters.hpp"

namespace headrace::mq {
namespace {

class redis_consumer_link final : public consumer_link, private redis_consumer_session::events {
public:
    redis_consumer_link(net::io_thread& thread, const redis::connection_options& options,
                        redis_consumer_options consuming, consumer_link::listener& sink)
        : events_(sink),
          reader_events_(*this, true),
          acker_events_(*this, false),
          reader_(redis::connection::make(thread, options, reader_events_)),
          acker_(redis::connection::make(thread, options, acker_events_)),
          session_(std::move(consuming), reader_->commands(), acker_->commands(), *this) {}
    ~redis_consumer_link() override { redis_consumer_link::close(); }

    void open() override {
        reader_->open();
        acker_->open();
    }
    void allow(std::size_t messages) override { session_.allow(messages); }
    void ack(std::span<const std::uint64_t> tags) override { session_.ack(tags); }
    void flush() override {
        if (closed_) return;
        session_.pump(monotonic_now());
        acker_->flush();
        reader_->flush();
    }
    // The farewell is written and not waited for: a name that stays behind costs the group a line in its list.
    void close() override {
        if (!std::exchange(closed_, true) && acker_->up()) {
            session_.leave();
            acker_->flush();
        }
        reader_->close();
        acker_->close();
    }
    link_counters counters() const override {
        auto counted = from_connection(reader_->stats());
        const auto acks = from_connection(acker_->stats());
        counted.writes += acks.writes;
        counted.reads += acks.reads;
        counted.bytes_out += acks.bytes_out;
        counted.bytes_in += acks.bytes_in;
        counted.reconnects += acks.reconnects;
        counted.requests = session_.requests();
        counted.dropped_by_broker = session_.dropped_by_broker();
        return counted;
    }

private:
    struct connection_events final : redis::connection::listener {
        connection_events(redis_consumer_link& link, bool is_reader) : owner(link), reader(is_reader) {}
        void on_up() override { owner.up(reader); }
        void on_down(const failure&) override {}
        void on_dead(const failure& why) override { owner.dead(why); }
        void on_batch_end() override { owner.flush(); }
        redis_consumer_link& owner;
        const bool reader;
    };

    void up(bool reader) {
        if (reader) session_.on_reader_up(monotonic_now());
        if (!opened_ && reader_->up() && acker_->up()) {
            opened_ = true;
            events_.on_open();
        }
    }
    void deliver(std::span<const delivery> messages, ns now) override {
        if (!closed_) events_.on_messages(messages, now);
    }
    void acked(std::span<const std::uint64_t> tags, ns now) override {
        if (!closed_) events_.on_acked(tags, now);
    }
    void dead(const failure& why) override {
        if (std::exchange(dead_, true) || closed_) return;
        events_.on_dead(why);
    }

    consumer_link::listener& events_;
    connection_events reader_events_;
    connection_events acker_events_;
    std::shared_ptr<redis::connection> reader_;
    std::shared_ptr<redis::connection> acker_;
    redis_consumer_session session_;
    bool opened_ = false;
    bool closed_ = false;
    bool dead_ = false;
};

}  // namespace

failure make_redis_consumer_link(const net::url& address, const consumer_link_options& options, net::io_thread& thread,
                                 consumer_link::listener& events, std::unique_ptr<consumer_link>& out) {
    redis::connection_options connection;
    std::uint64_t max_len = 0;
    if (auto bad = parse_redis_mq_address(address, connection, max_len)) return bad;
    connection.give_up_after = options.give_up_after;
    redis_consumer_options consuming{options.topic, options.group, options.name, options.batch, options.claim_idle};
    if (consuming.name.empty()) consuming.name = random_instance();
    out = std::make_unique<redis_consumer_link>(thread, connection, std::move(consuming), events);
    return {};
}

}  // namespace headrace::mq
