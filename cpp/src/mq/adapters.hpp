// The adapters behind make_producer_link() and make_consumer_link(), and what the two Redis links share.
#pragma once

#include <headrace/mq/consumer_link.hpp>
#include <headrace/mq/producer_link.hpp>
#include <headrace/redis/connection.hpp>

namespace headrace::mq {

/// The Redis address plus the option maxlen=<entries> of the producing side.
failure parse_redis_mq_address(const net::url& address, redis::connection_options& out, std::uint64_t& max_len);

link_counters from_connection(const redis::connection::counters& counted);

failure make_redis_producer_link(const net::url& address, const producer_link_options& options, net::io_thread& thread,
                                 producer_link::listener& events, std::unique_ptr<producer_link>& out);
failure make_redis_consumer_link(const net::url& address, const consumer_link_options& options, net::io_thread& thread,
                                 consumer_link::listener& events, std::unique_ptr<consumer_link>& out);
failure make_inproc_producer_link(const net::url& address, const producer_link_options& options, net::io_thread& thread,
                                  producer_link::listener& events, std::unique_ptr<producer_link>& out);
failure make_inproc_consumer_link(const net::url& address, const consumer_link_options& options, net::io_thread& thread,
                                  consumer_link::listener& events, std::unique_ptr<consumer_link>& out);

}  // namespace headrace::mq
