#include "socket_link.hpp"

#include <utility>

namespace headrace::bindings::asgi {

using net::websocket::connection;
using net::websocket::opcode;

// Owned by the connection, or by the acceptance that has not reached it yet.
class socket_link::listener final : public net::websocket::listener {
public:
    explicit listener(std::shared_ptr<socket_link> link) noexcept : link_(std::move(link)) {}
    ~listener() override { link_->lose(net::websocket::close_code::abnormal, {}); }
    void on_open(const std::shared_ptr<connection>& peer) override { link_->opened(peer); }
    void on_message(connection& peer, opcode code, std::string_view payload) override {
        link_->arrived(peer, code, payload);
    }
    void on_close(connection&, std::uint16_t code, std::string_view reason) override { link_->lose(code, reason); }
    void on_progress(connection& peer) override { link_->progressed(peer.buffered()); }

private:
    const std::shared_ptr<socket_link> link_;
};

std::shared_ptr<net::websocket::listener> socket_link::make_listener() {
    return std::make_shared<listener>(shared_from_this());
}

void socket_link::wake(const waiters& all) noexcept {
    for (const auto& one : all) (*one)();
}

// Who waited with a time limit may have left one behind.
void socket_link::add(waiters& to, std::shared_ptr<finisher> one) {
    std::erase_if(to, [](const auto& w) { return w->given_up(); });
    to.push_back(std::move(one));
}

// --- the loop's side ---

std::optional<socket_link::message> socket_link::take() {
    const lock_guard hold(mutex_);
    if (incoming_.empty()) return std::nullopt;
    auto first = std::move(incoming_.front());
    incoming_.pop_front();
    incoming_bytes_ -= first.payload.size();
    const bool enough = incoming_bytes_ < much / 2 && incoming_.size() < many / 2;
    if (paused_ && enough && !end_) {
        paused_ = false;
        thread_.post([peer = peer_] { peer->resume(); });
    }
    return first;
}

std::optional<socket_link::end> socket_link::ended() const {
    const lock_guard hold(mutex_);
    return incoming_.empty() ? end_ : std::nullopt;
}

bool socket_link::send(opcode code, std::string payload) {
    return put({code, std::move(payload), 0});
}

bool socket_link::close(std::uint16_t code, std::string reason) {
    return put({opcode::close, std::move(reason), code});
}

bool socket_link::put(outgoing what) {
    const lock_guard hold(mutex_);
    if (end_) return false;
    outgoing_bytes_ += what.payload.size();
    outgoing_.push_back(std::move(what));
    // Before on_open() there is nobody to hand it to; opened() does it then.
    if (peer_ && outgoing_.size() == 1) thread_.post([self = shared_from_this()] { self->hand_over(); });
    return true;
}

bool socket_link::has_room() const {
    const lock_guard hold(mutex_);
    return end_ || roomy();
}

void socket_link::on_event(std::shared_ptr<finisher> one) {
    const lock_guard hold(mutex_);
    if (incoming_.empty() && !end_) {
        add(for_event_, std::move(one));
    }  // otherwise its end tells
}

void socket_link::on_room(std::shared_ptr<finisher> one) {
    const lock_guard hold(mutex_);
    if (!end_ && !roomy()) add(for_room_, std::move(one));
}

// --- the I/O thread ---

void socket_link::opened(std::shared_ptr<connection> peer) {
    {
        const lock_guard hold(mutex_);
        peer_ = std::move(peer);
    }
    hand_over();
}

void socket_link::hand_over() {
    std::vector<outgoing> some;
    std::shared_ptr<connection> peer;
    {
        const lock_guard hold(mutex_);
        some.swap(outgoing_);
        outgoing_bytes_ = 0;
        peer = peer_;
    }
    if (!peer) return;
    for (const auto& one : some) {
        if (one.code == opcode::close) {
            peer->close(one.close_code, one.payload);
        } else {
            peer->send(one.code, one.payload);
        }
    }
    progressed(peer->buffered());
}

void socket_link::arrived(connection& peer, opcode code, std::string_view payload) {
    waiters told;
    {
        const lock_guard hold(mutex_);
        incoming_.push_back({code, std::string(payload)});
        incoming_bytes_ += payload.size();
        if (incoming_bytes_ >= much || incoming_.size() >= many) {
            paused_ = true;
            peer.pause();
        }
        told.swap(for_event_);
    }
    wake(told);
}

void socket_link::progressed(std::size_t buffered) {
    waiters told;
    {
        const lock_guard hold(mutex_);
        buffered_ = buffered;
        if (roomy()) told.swap(for_room_);
    }
    wake(told);
}

void socket_link::lose(std::uint16_t code, std::string_view reason) {
    waiters told, more;
    std::shared_ptr<connection> peer;
    {
        const lock_guard hold(mutex_);
        if (end_) return;
        end_ = end{code, std::string(reason)};
        peer.swap(peer_);
        outgoing_.clear();
        told.swap(for_event_);
        more.swap(for_room_);
    }
    wake(told);
    wake(more);
}

}  // namespace headrace::bindings::asgi
