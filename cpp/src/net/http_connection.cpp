#include "http_connection.hpp"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <cstring>

#include "http_websocket_peer.hpp"

namespace headrace::net::http {
namespace {

constexpr std::size_t first_growth = 8 * 1024;
constexpr std::size_t usual_capacity = 64 * 1024;
constexpr std::size_t max_output_ahead = 256 * 1024;  // then pipelined requests wait until the client has read
constexpr std::uint64_t max_lingered = 1024 * 1024;   // bytes thrown away before the connection is cut

}  // namespace

connection::connection(std::shared_ptr<shard> home, std::unique_ptr<transport> io)
    : home_(std::move(home)), io_(std::move(io)), parser_(home_->settings().head_limits), buffer_(inline_.data()) {}
connection::~connection() = default;

void connection::start() {
    self_ = shared_from_this();
    home_->enter(*this, phase::handshake);
    io_->async_handshake(self_);
}

void connection::on_handshake(const std::error_code& ec) {
    if (closed_) return;
    if (ec) return close(true);
    home_->enter(*this, phase::header);
    arm_read();
}

// --- reading ---

void connection::on_read(const std::error_code& ec, std::size_t n) {
    reading_ = false;
    if (closed_) return;
    if (ec) {
        const bool ended = ec == std::error_code(boost::asio::error::make_error_code(boost::asio::error::eof));
        return ended ? on_end_of_stream() : lost();
    }
    home_->counters.bytes_in.add(n);
    progress_ += n;
    if (lingering_) {
        if (progress_ > max_lingered && !skipping_) return close();
        begin_ = end_ = 0;
        return arm_read();
    }
    end_ += static_cast<std::uint32_t>(n);
    if (end_ == capacity_) read_ahead();
    process();
    end_turn();
}

// The buffer was filled to its end, so there is probably more: it is read in the same turn.
void connection::read_ahead() {
    if ((exchange_ && (!content_ || content_paused_)) || !make_room()) return;
    const auto n = io_->try_read({buffer_ + end_, capacity_ - end_});
    home_->counters.bytes_in.add(n);
    progress_ += n;
    end_ += static_cast<std::uint32_t>(n);
}

// Room behind end_; false when the buffer is as large as it may be and full.
bool connection::make_room() {
    if (begin_ == end_) {
        begin_ = end_ = 0;
        if (capacity_ > first_growth && !content_) {
            grown_.reset();
            buffer_ = inline_.data();
            capacity_ = inline_size;
        }
    }
    if (end_ < capacity_) return true;
    if (begin_ != 0) {
        std::memmove(buffer_, buffer_ + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
        return true;
    }
    const auto& limits = home_->options().limits;
    const auto most =
        std::max({usual_capacity, limits.max_request_line + limits.max_header_bytes + 8, limits.max_trailer_bytes + 8,
                  limits.max_chunk_line + 8, home_->options().max_pipelined});
    if (capacity_ >= most) return false;
    const auto larger = std::min(most, std::max<std::size_t>(first_growth, std::size_t{capacity_} * 4));
    auto bigger = std::make_unique_for_overwrite<char[]>(larger);
    std::memcpy(bigger.get(), buffer_, end_);
    grown_ = std::move(bigger);
    buffer_ = grown_.get();
    capacity_ = static_cast<std::uint32_t>(larger);
    return true;
}

void connection::arm_read() {
    if (reading_ || closed_ || end_of_stream_) return;
    if (websocket_ && websocket_->paused() && !closing_) return;
    if (content_ && content_paused_) return;
    const bool ahead = !content_ && (exchange_ != nullptr || writing_);
    if (ahead && !lingering_ && unread().size() >= home_->options().max_pipelined) return;
    if (!make_room()) return;
    reading_ = true;
    io_->async_read({buffer_ + end_, capacity_ - end_}, self_);
}

void connection::on_end_of_stream() {
    end_of_stream_ = true;
    if (lingering_) return close();
    if (websocket_) {
        websocket_->on_lost();
        return close();
    }
    home_->new_turn();
    if (exchange_) {
        if (home_->options().cancel_on_half_close && exchange_->cancel()) home_->counters.cancelled.add();
        if (!content_) return;
        process();
        return end_turn();
    }
    if (!parser_.between_requests() || begin_ != end_) unread_input_ = true;
    closing_ = true;
    end_turn();
}

void connection::lost() {
    if (websocket_) websocket_->on_lost();
    close(true);
}

// --- the turn ---

bool connection::may_process() const noexcept {
    if (exchange_ || closing_ || closed_) return false;
    return home_->scratch.size() + buffered() < max_output_ahead;
}

void connection::process() {
    home_->new_turn();
    if (websocket_) return read_websocket();
    if (content_ && !content_paused_) read_content();
    while (may_process() && one_step()) {
        if (websocket_) break;
    }
    if (!parser_.in_head() && !kept_ && !exchange_ && !closing_ && !websocket_ && !begin_streaming()) keep_head();
    if (websocket_ && !closed_) read_websocket();
}

void connection::end_turn() {
    if (closed_) {  // what it had to say must not reach whoever has the next turn
        home_->scratch.clear();
        return;
    }
    flush();
    if (closed_) return;
    if (websocket_) websocket_->on_progress();
    if (exchange_ && streaming_) exchange_->set_unsent(buffered());
    if (end_of_stream_ && may_process()) closing_ = true;  // all that was complete is answered
    if (closing_ && !exchange_ && !writing_) return finish_close();
    update_phase();
    arm_read();
}

void connection::update_phase() {
    if (writing_) {
        if (where != phase::write) {
            progress_ = 0;
            home_->enter(*this, phase::write);
        }
    } else if (websocket_) {
        if (where != phase::websocket) home_->enter(*this, phase::websocket);
    } else if (exchange_ && (!content_ || content_paused_ || continue_owed_)) {
        if (where != phase::working) home_->enter(*this, phase::working);
    } else if (!parser_.in_head()) {
        if (where != phase::body) {
            progress_ = 0;
            home_->enter(*this, phase::body);
        }
    } else if (begin_ != end_) {
        if (!head_begun_ || where != phase::header) home_->enter(*this, phase::header);
        head_begun_ = true;
    } else if (requests_ != 0) {
        home_->enter(*this, phase::idle);
    }
}

void connection::on_timeout() {
    const auto progressed = std::exchange(progress_, 0);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(home_->period(where)).count();
    const bool fast_enough = progressed * 1000 >= home_->options().min_rate * static_cast<std::uint64_t>(ms);
    if ((where == phase::body || where == phase::write) && fast_enough) return home_->enter(*this, where);
    if (where == phase::websocket) {
        if (websocket_->on_silence(progressed != 0)) return home_->enter(*this, where);
        websocket_->on_lost();
        return close(true);
    }
    if (where == phase::linger) return close();
    home_->counters.timeouts.add();
    const bool begun = where == phase::body || (where == phase::header && begin_ != end_);
    if (!begun) return close(where != phase::idle);
    home_->new_turn();
    if (content_ && !fail_content(body_failure::too_slow)) return;
    unread_input_ = true;
    minor_version_ = 1;
    head_request_ = false;
    send_simple(408, "text/plain; charset=utf-8", "the request did not arrive in time\n", false);
    end_turn();
}

void connection::drain(bool fresh_too) {
    if (websocket_) return websocket_->close(websocket::close_code::going_away, "the server stops");
    const bool between =
        (where == phase::idle || where == phase::header) && begin_ == end_ && parser_.between_requests();
    if (!between || closing_ || io_->readable()) return;
    if (requests_ != 0 || fresh_too) close();
}

// --- writing and ending ---

out_queue& connection::need_queue() {
    if (!queue_) queue_ = std::make_unique<out_queue>();
    return *queue_;
}

void connection::flush() {
    auto& scratch = home_->scratch;
    if (!scratch.empty()) {
        std::size_t n = 0;
        if (!writing_ && buffered() == 0) {
            const std::string_view all = scratch;
            n = io_->try_write({&all, 1});
            if (n != 0) home_->counters.writes.add();
            home_->counters.bytes_out.add(n);
        }
        if (n != scratch.size()) need_queue().append(std::string_view(scratch).substr(n));
        scratch.clear();
    }
    if (!writing_ && buffered() != 0) write_queue();
}

void connection::write_queue() {
    std::array<std::string_view, transport::max_pieces> pieces;
    for (;;) {
        const auto count = queue_->gather(pieces);
        if (count == 0) {
            queue_.reset();
            return;
        }
        const auto n = io_->try_write({pieces.data(), count});
        if (n == 0) {
            writing_ = true;
            return io_->async_write({pieces.data(), count}, self_);
        }
        home_->counters.writes.add();
        home_->counters.bytes_out.add(n);
        queue_->consume(n);
    }
}

void connection::on_written(const std::error_code& ec, std::size_t n) {
    writing_ = false;
    if (closed_) return;
    if (ec) return lost();
    home_->counters.writes.add();
    home_->counters.bytes_out.add(n);
    progress_ += n;
    queue_->consume(n);
    if (queue_->empty()) queue_.reset();
    process();
    end_turn();
}

void connection::queue(std::string_view bytes) {
    need_queue().append(bytes);
    home_->flush_later(self_);
}
void connection::queue(std::shared_ptr<const std::string> bytes) {
    need_queue().append(std::move(bytes));
    home_->flush_later(self_);
}

void connection::resume_reading() {
    if (closed_) return;
    process();
    end_turn();
}

void connection::close_after_write() noexcept {
    closing_ = true;
}

// A close while the client still sends would make the kernel throw away our last answer with the connection (RFC 9112,
// section 9.6): then we end our side first and read on for a while.
void connection::finish_close() {
    if (lingering_) return;
    const bool clean = !unread_input_ && begin_ == end_ && !io_->lingers();
    if (clean || end_of_stream_) return close();
    lingering_ = true;
    progress_ = 0;
    begin_ = end_ = 0;
    io_->end_sending(self_);
    home_->enter(*this, phase::linger);
    arm_read();
}

void connection::close(bool dropped) {
    if (closed_) return;
    closed_ = true;
    if (dropped) home_->counters.dropped.add();
    io_->close();
    if (exchange_) {
        if (exchange_->cancel()) home_->counters.cancelled.add();
        std::exchange(exchange_, nullptr)->leave();
    }
    if (content_) end_content(body_failure::left);
    const auto keep = std::move(self_);
    home_->removed(*this, websocket_ != nullptr);
    websocket_.reset();
}

}  // namespace headrace::net::http
