// The table of brokers: url scheme -> adapter.
#include <array>
#include <charconv>

#include "adapters.hpp"

namespace headrace::mq {
namespace {

struct adapter {
    std::string_view scheme;
    decltype(&make_redis_producer_link) producer;
    decltype(&make_redis_consumer_link) consumer;
};

constexpr std::array adapters{
    adapter{"redis", make_redis_producer_link, make_redis_consumer_link},
    adapter{"rediss", make_redis_producer_link, make_redis_consumer_link},
    adapter{"unix", make_redis_producer_link, make_redis_consumer_link},
    adapter{"inproc", make_inproc_producer_link, make_inproc_consumer_link},
};

failure find_adapter(std::string_view address, net::url& parsed, const adapter*& found) {
    if (auto bad = net::parse_url(address, parsed)) return bad;
    std::string known;
    for (const auto& a : adapters) {
        if (a.scheme == parsed.scheme) {
            found = &a;
            return {};
        }
        known += (known.empty() ? "" : ", ") + std::string(a.scheme) + "://";
    }
    return failure::of(errc::invalid_argument, "no broker for '" + parsed.scheme + "://'; known: " + known);
}

failure check_topic(std::string_view topic) {
    if (topic.empty()) return failure::of(errc::invalid_argument, "the topic must not be empty");
    return {};
}

}  // namespace

failure make_producer_link(std::string_view address, const producer_link_options& options, net::io_thread& thread,
                           producer_link::listener& events, std::unique_ptr<producer_link>& out) {
    net::url parsed;
    const adapter* found = nullptr;
    if (auto bad = find_adapter(address, parsed, found)) return bad;
    if (auto bad = check_topic(options.topic)) return bad;
    return found->producer(parsed, options, thread, events, out);
}

failure make_consumer_link(std::string_view address, const consumer_link_options& options, net::io_thread& thread,
                           consumer_link::listener& events, std::unique_ptr<consumer_link>& out) {
    net::url parsed;
    const adapter* found = nullptr;
    if (auto bad = find_adapter(address, parsed, found)) return bad;
    if (auto bad = check_topic(options.topic)) return bad;
    if (options.group.empty()) return failure::of(errc::invalid_argument, "the group must not be empty");
    return found->consumer(parsed, options, thread, events, out);
}

failure parse_redis_mq_address(const net::url& address, redis::connection_options& out, std::uint64_t& max_len) {
    static constexpr std::string_view known[] = {"maxlen"};
    if (auto bad = redis::parse_address(address, out, known)) return bad;
    const auto it = address.query.find("maxlen");
    if (it == address.query.end()) return {};
    const auto& text = it->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), max_len);
    if (error == std::errc{} && end == text.data() + text.size() && max_len > 0) return {};
    return failure::of(errc::invalid_argument, "maxlen must be a positive number of entries, not '" + text + "'");
}

link_counters from_connection(const redis::connection::counters& c) {
    link_counters out;
    out.writes = c.writes;
    out.reads = c.reads;
    out.bytes_out = c.bytes_out;
    out.bytes_in = c.bytes_in;
    out.reconnects = c.reconnects;
    return out;
}

}  // namespace headrace::mq
