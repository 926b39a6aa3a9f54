// One connection of a server: bytes in, requests, answers, bytes out.
//
// A turn is what one event of the loop brings: bytes read, room to write, an answer from another thread. In a turn every
// complete request is handled in order, their answers gather in the shard's scratch, and one write ends the turn. While
// an answer is owed the connection reads ahead (to see the client leave) but handles nothing further.
// Threads:  the shard's I/O thread.
// Lifetime: keeps itself until closed; operations under way keep it until their event came.
#pragma once

#include <array>
#include <headrace/net/http_server.hpp>
#include <headrace/net/websocket_reader.hpp>
#include <memory>
#include <string>

#include "http_exchange.hpp"
#include "http_inflow.hpp"
#include "http_out_queue.hpp"
#include "http_shard.hpp"
#include "http_timeouts.hpp"
#include "http_transport.hpp"

namespace headrace::net::http {

class websocket_peer;

class connection final : public transport::events,
                         public timeout_entry,
                         public std::enable_shared_from_this<connection> {
public:
    connection(std::shared_ptr<shard> home, std::unique_ptr<transport> io);
    ~connection() override;

    void start();
    void on_timeout();
    /// An answer from another thread; end_turn() must follow.
    void apply(command& c);
    void end_turn();
    /// No more requests after the one that is under way; a connection between requests is closed.
    void drain(bool fresh_too);
    void close(bool dropped = false);
    bool closed() const noexcept { return closed_; }

    // For the WebSocket on it.
    void queue(std::string_view bytes);
    void queue(std::shared_ptr<const std::string> bytes);
    std::size_t buffered() const noexcept { return queue_ ? queue_->size() : 0; }
    shard& home() noexcept { return *home_; }
    /// It was paused: what has arrived in the meantime is read.
    void resume_reading();
    /// What was queued is to be sent, and then the connection ends.
    void close_after_write() noexcept;

private:
    class turn_responder;
    friend class turn_responder;

    void on_handshake(const std::error_code& ec) override;
    void on_read(const std::error_code& ec, std::size_t n) override;
    void on_written(const std::error_code& ec, std::size_t n) override;

    // Reading.
    void read_ahead();
    void arm_read();
    bool make_room();
    void on_end_of_stream();
    void lost();
    std::string_view unread() const noexcept { return {buffer_ + begin_, end_ - begin_}; }

    // Requests.
    void process();
    bool may_process() const noexcept;
    bool one_step();
    void begin_request();
    void take_body(std::string_view piece);
    void handle();
    void call_handler(const handler& h);
    const route_entry* route_of(const request_head& head);
    bool goes_to_rest(const request_head& head) const noexcept;
    void answer_unrouted();
    void refuse(parse_error why);
    void read_websocket();
    void keep_head();
    const request_head& current_head() const noexcept;

    // Content that is handed over while it comes (http_content.cpp).
    bool streams(const request_head& head, const route_entry* to) const noexcept;
    void begin_content();
    void append_continue();
    bool begin_streaming();
    void read_content();
    request_parser::event parse_content(std::string* into);
    void read_on();
    void finish_content();
    void end_content(body_failure why);
    bool fail_content(body_failure why);

    // Answers.
    response_framing framing(bool keep_alive) const noexcept;
    bool keeps_alive() const noexcept;
    void send_simple(unsigned status, std::string_view content_type, std::string_view body, bool keep_alive);
    void send(response r);
    void send_checked(response& r);
    void send_large(std::string body);
    void finish_exchange();
    void begin_stream(const response& head);
    void stream_bytes(std::string bytes);
    void end_stream();
    void begin_websocket(command& c);
    void open_websocket();
    const peer_address& peer();
    void answered(unsigned status, std::size_t bytes);
    void write_log(access_log& log, unsigned status, std::size_t bytes);

    // Writing and ending.
    void flush();
    void write_queue();
    out_queue& need_queue();
    void update_phase();
    void finish_close();

    static constexpr std::size_t inline_size = 1024;
    struct kept_head {
        std::string bytes;
        std::vector<field> fields;
        request_head head;
    };

    const std::shared_ptr<shard> home_;
    std::shared_ptr<connection> self_;
    std::unique_ptr<transport> io_;
    request_parser parser_;

    std::array<char, inline_size> inline_;
    char* buffer_;
    std::uint32_t begin_ = 0, end_ = 0, capacity_ = inline_size;
    std::uint32_t requests_ = 0;
    std::unique_ptr<char[]> grown_;
    std::unique_ptr<out_queue> queue_;
    std::shared_ptr<exchange> exchange_;
    std::shared_ptr<inflow> content_;  // what is still to come of it goes here
    std::shared_ptr<websocket_peer> websocket_;
    std::unique_ptr<kept_head> kept_;
    std::string body_;
    std::string_view body_view_;
    std::uint64_t progress_ = 0;  // bytes since the last look at a slow client
    ns asked_{0};                 // when the request's head was complete
    std::unique_ptr<peer_address> peer_;
    std::string log_line_;  // method and target of a deferred request, when there is an access log

    // Of the request that is being answered.
    bool keep_alive_ = true;
    bool head_request_ = false;
    std::uint8_t minor_version_ = 1;

    bool streaming_ = false, stream_chunks_ = false, stream_content_ = false, stream_keep_ = false;
    unsigned stream_status_ = 0;
    std::int64_t stream_length_ = -1;
    std::uint64_t stream_bytes_ = 0;
    bool content_paused_ = false;  // its reader has enough
    bool continue_owed_ = false;   // the client waits for 100, and the reader has not asked yet
    bool reading_ = false, writing_ = false;
    bool head_begun_ = false;  // the header timeout runs for this request
    bool end_of_stream_ = false;
    bool closing_ = false;       // no more requests; end when everything is written
    bool unread_input_ = false;  // the client may still be sending what nobody will read
    bool skipping_ = false;      // and that is content of a request, as much as comes while we linger
    bool lingering_ = false;
    bool closed_ = false;
};

}  // namespace headrace::net::http
