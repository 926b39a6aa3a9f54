// What a server answers to XREADGROUP, XAUTOCLAIM and XACK decides what a consumer does next: whatever it is, each
// delivery is new, its parts lie within the answer, and no more is delivered than was allowed.
//
// The input is cut into pieces: a byte says whose connection speaks (its lowest bit) and how many bytes follow.
#include <cstdlib>
#include <headrace/mq/redis_consumer.hpp>
#include <string>

namespace {

using namespace headrace;
using namespace headrace::mq;

void require(bool promise) {
    if (!promise) std::abort();
}

struct connection {
    void connect() {
        session.on_connected(now);
        write();
        hear("+PONG\r\n");
        up = session.current() == redis::session::state::ready;
        require(up);
        write();
    }
    void write() {
        std::string_view pieces[4];
        while (const auto n = session.gather(pieces)) {
            std::size_t size = 0;
            for (std::size_t i = 0; i < n; ++i) size += pieces[i].size();
            session.on_written(size, now);
        }
    }
    void hear(std::string_view bytes) {
        if (session.on_read({bytes.data(), bytes.size()}, now)) up = false;
    }
    redis::session session{redis::session_options{}};
    ns now{0};
    bool up = false;
};

// Acknowledges every other message at once and the rest when the next arrive.
struct application final : redis_consumer_session::events {
    void deliver(std::span<const delivery> messages, ns) override {
        std::vector<std::uint64_t> tags = std::move(waiting);
        waiting.clear();
        for (const auto& m : messages) {
            require(m.tag == next_tag++);
            bytes += m.id.size() + m.payload.size() + m.broker_id.size();
            (m.tag % 2 == 0 ? tags : waiting).push_back(m.tag);
        }
        consumer->ack(tags);
        unconfirmed += tags.size();
        consumer->allow(messages.size());
    }
    void acked(std::span<const std::uint64_t> tags, ns) override {
        require(tags.size() <= unconfirmed);
        unconfirmed -= tags.size();
    }
    void dead(const failure& why) override {
        require(static_cast<bool>(why));
        is_dead = true;
    }
    redis_consumer_session* consumer = nullptr;
    std::vector<std::uint64_t> waiting;
    std::uint64_t next_tag = 0;
    std::size_t bytes = 0;  // touched, so that a sanitizer sees views that dangle
    std::size_t unconfirmed = 0;
    bool is_dead = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    connection reader, acker;
    application app;
    redis_consumer_session consumer({"t", "g", "c", 4, std::chrono::seconds{1}}, reader.session, acker.session, app);
    app.consumer = &consumer;
    acker.connect();
    reader.connect();
    consumer.allow(16);
    consumer.on_reader_up(ns{0});
    std::string_view left(reinterpret_cast<const char*>(data), size);
    for (std::int64_t now = 1; left.size() > 1 && !app.is_dead; ++now) {
        auto& speaker = (left.front() & 1) != 0 ? acker : reader;
        const auto n = static_cast<std::size_t>(static_cast<unsigned char>(left.front()) / 2);
        left.remove_prefix(1);
        reader.now = acker.now = ns{now * 100'000'000};
        consumer.pump(reader.now);
        reader.write();
        acker.write();
        speaker.hear(left.substr(0, n));
        left.remove_prefix(std::min(n, left.size()));
        reader.session.on_tick(reader.now);
        if (!speaker.up) {
            speaker.session.on_lost(failure::of(errc::connection_failed, "bad reply"));
            speaker.connect();
            if (&speaker == &reader) consumer.on_reader_up(reader.now);
        }
    }
    reader.session.on_given_up(failure::of(errc::closed, "the end"));
    acker.session.on_given_up(failure::of(errc::closed, "the end"));
    return 0;
}
