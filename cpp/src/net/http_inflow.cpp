#include "http_inflow.hpp"

#include <utility>

#include "http_exchange.hpp"

namespace headrace::net::http {

bool inflow::room_for(std::size_t n) {
    const lock_guard hold(mutex_);
    paused_ = !waiting_.empty() && bytes_ + n > most_;
    return !paused_;
}

void inflow::put(std::string bytes) {
    const lock_guard hold(mutex_);
    add(std::move(bytes));
}

void inflow::put_last(std::string bytes) {
    const lock_guard hold(mutex_);
    add(std::move(bytes));
    ended_ = true;
}

void inflow::add(std::string bytes) {
    if (bytes.empty()) return;
    bytes_ += bytes.size();
    if (!waiting_.empty() && waiting_.back().size() + bytes.size() <= merge_up_to) {
        waiting_.back().append(bytes);
    } else {
        waiting_.push_back(std::move(bytes));
    }
}

void inflow::fail(body_failure why) {
    std::deque<std::string> unread;
    const lock_guard hold(mutex_);
    if (std::exchange(ended_, true)) return;
    why_ = why;
    if (why == body_failure::over) unread.swap(waiting_);
}

void inflow::tell() {
    std::function<void()> ready;
    {
        const lock_guard hold(mutex_);
        if (notice_ && readable()) ready = std::exchange(notice_, nullptr);
    }
    if (ready) ready();
}

body_reader::result inflow::read(std::string& piece, bool& go_on) {
    using result = body_reader::result;
    piece.clear();
    const lock_guard hold(mutex_);
    go_on = !std::exchange(asked_, true);
    if (!waiting_.empty()) {
        piece = std::move(waiting_.front());
        waiting_.pop_front();
        bytes_ -= piece.size();
    }
    if (paused_ && bytes_ <= most_ / 2) {
        paused_ = false;
        go_on = true;
    }
    const bool last = ended_ && waiting_.empty();
    if (last && why_ == body_failure::none) return result::end;
    if (!piece.empty()) return result::piece;
    return last ? result::failed : result::wait;
}

void inflow::on_readable(std::function<void()> ready, bool& go_on) {
    std::function<void()> replaced;
    {
        const lock_guard hold(mutex_);
        go_on = !std::exchange(asked_, true);
        if (!readable()) {
            replaced = std::exchange(notice_, std::move(ready));
            return;
        }
    }
    ready();
}

body_failure inflow::why() const {
    const lock_guard hold(mutex_);
    return waiting_.empty() ? why_ : body_failure::none;
}

// The public handle.

body_reader::body_reader(std::shared_ptr<exchange> shared) noexcept : shared_(std::move(shared)) {}
body_reader::body_reader(body_reader&&) noexcept = default;
body_reader& body_reader::operator=(body_reader&&) noexcept = default;
body_reader::~body_reader() = default;

body_reader::result body_reader::read(std::string& piece) {
    if (!shared_) {
        piece.clear();
        return result::end;
    }
    bool go_on = false;
    const auto got = shared_->content->read(piece, go_on);
    if (go_on) shared_->read_on();
    return got;
}

void body_reader::on_readable(std::function<void()> ready) {
    if (!shared_) return ready();
    bool go_on = false;
    shared_->content->on_readable(std::move(ready), go_on);
    if (go_on) shared_->read_on();
}

body_failure body_reader::why() const {
    return shared_ ? shared_->content->why() : body_failure::none;
}

}  // namespace headrace::net::http
