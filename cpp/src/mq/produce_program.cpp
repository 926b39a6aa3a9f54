#include <algorithm>
#include <cmath>
#include <headrace/measure/paced_driver.hpp>
#include <headrace/mq/id.hpp>
#include <headrace/mq/payload.hpp>
#include <headrace/mq/produce_program.hpp>
#include <headrace/mq/producer_link.hpp>
#include <headrace/mq/send_window.hpp>
#include <optional>

namespace headrace::mq {
namespace {

using measure::absent;
using measure::sent_row;

// Messages generated before the bytes so far are handed to the kernel: the broker works while we go on. Half of a
// small window keeps both sides busy at once instead of in turn.
std::size_t flush_interval(std::size_t window) {
    return std::clamp<std::size_t>(window / 2, 1, 64);
}
// And before the loop gets a turn to read acknowledgements.
constexpr std::size_t max_burst = 4096;
// Payload bytes made ready while the broker works: enough for the next burst, few enough to stay in the cache.
constexpr std::size_t max_prepared_bytes = 128 * 1024;
// A window this small is taken by the broker in one piece and acknowledged in one (Redis reads 16 KiB at a time, and with
// appendfsync always each piece costs a disk write): sent in halves, it would stay in halves.
constexpr std::size_t one_piece_bytes = 16 * 1024;

class produce_worker final : public program::worker, private producer_link::listener {
public:
    produce_worker(program& owner, const produce_options& options, std::size_t index, net::io_thread& thread)
        : worker(owner, index, thread),
          options_(options),
          window_(options.window),
          flush_every_(flush_interval(options.window)),
          ids_(options.instance, static_cast<std::uint32_t>(index)),
          pace_timer_(thread.context()) {}

    failure prepare() {
        if (auto bad = payload_source::make(options_.payload, options_.size, options_.seed + index_, payload_))
            return bad;
        const producer_link_options link{options_.topic, options_.batch, options_.give_up_after};
        return make_producer_link(options_.url, link, thread_, *this, link_);
    }
    void open() override { link_->open(); }

private:
    void on_open() override {
        connected();
        prepare_next();
    }

    void on_start() override {
        if (options_.rate > 0) {
            // Threads take turns in one schedule: thread i starts i/rate later and runs at rate/threads.
            const double share = options_.rate / static_cast<double>(options_.threads);
            const ns offset{std::llround(1e9 / options_.rate * static_cast<double>(index_))};
            schedule_.emplace(
                measure::pacer(share, monotonic_now() + offset, options_.arrivals, options_.seed + index_));
        }
        pump();
    }

    void pump() {
        if (!running()) return;
        leave_full();
        ns now = monotonic_now();
        std::size_t burst = send_prepared(now);
        while (next_ < options_.count && window_.room() > 0 && burst < max_burst) {
            if (schedule_ && schedule_->wake_at() > now) {
                now = monotonic_now();
                if (schedule_->wake_at() > now) break;
            }
            send_one();
            if (++burst % flush_every_ == 0) link_->flush();
        }
        // What is left of a batch goes when nothing can fill it: at the end, and when the window is full.
        if (next_ == options_.count || window_.room() == 0) link_->end_batch();
        link_->flush();
        if (next_ < options_.count) wait_for_more(burst >= max_burst);
    }

    void wait_for_more(bool burst_over) {
        if (window_.room() == 0) {
            full_since_ = monotonic_now();
        } else if (burst_over) {
            thread_.post([this] { pump(); });
        } else if (schedule_) {
            pace_timer_.expires_at(std::chrono::steady_clock::time_point(schedule_->wake_at()));
            pace_timer_.async_wait([this](const boost::system::error_code& ec) {
                if (!ec) pump();
            });
        }
    }

    // Without a schedule the next messages are known before their turn. They are made ready while the broker works, so
    // that an acknowledgement leads to nothing but a clock reading and a write.
    void prepare_next() {
        if (options_.rate > 0) return;
        const auto limit = std::min<std::uint64_t>(options_.window, max_prepared_bytes / payload_.size());
        const auto wanted = std::min(limit, options_.count - next_);
        for (; prepared_ < wanted; ++prepared_) {
            const auto id = ids_.at(next_ + prepared_);
            if (!link_->prepare(next_ + prepared_, id, payload_.at(id))) return;
        }
    }

    bool worth_refilling() const {
        const bool in_one_piece = prepared_ >= options_.window && options_.window * payload_.size() <= one_piece_bytes;
        return in_one_piece ? window_.in_flight() == 0 : window_.worth_refilling();
    }

    std::size_t send_prepared(ns now) {
        const auto n = std::min<std::size_t>(prepared_, window_.room());
        for (std::size_t i = 0; i < n; ++i) window_.add(now, now, static_cast<std::uint32_t>(payload_.size()));
        link_->release(n);
        prepared_ -= n;
        count_sent(n, n * payload_.size(), now);
        return n;
    }

    void count_sent(std::size_t messages, std::size_t bytes, ns now) {
        if (messages == 0) return;
        next_ += messages;
        if (counted_.first.count() == 0) counted_.first = now;
        counted_.payload_bytes += bytes;
        counted_.sent = next_;
        counted_.in_flight = window_.in_flight();
    }

    void leave_full() {
        if (full_since_.count() == 0) return;
        // In a closed loop the window is full by design; in an open loop only while a message is due.
        const ns since = schedule_ ? std::max(full_since_, schedule_->wake_at()) : full_since_;
        counted_.window_full += std::max(monotonic_now() - since, ns{0});
        full_since_ = ns{0};
    }

    void send_one() {
        const auto id = ids_.at(next_);
        const auto payload = payload_.at(id);
        const ns now = monotonic_now();
        const ns intended = schedule_ ? schedule_->take(now) : now;
        const auto tag = window_.add(intended, now, static_cast<std::uint32_t>(payload.size()));
        link_->send(tag, id, payload);
        count_sent(1, payload.size(), now);
    }

    // The window is refilled before the rows are written and more is prepared: the broker works while we do.
    void on_acks(std::span<const std::uint64_t> tags, ns now) override {
        settled_.clear();
        for (const auto tag : tags) settled_.push_back({tag, window_.settle(tag)});
        counted_.acked += tags.size();
        counted_.last = now;
        counted_.in_flight = window_.in_flight();
        if (running() && next_ < options_.count && (schedule_ || worth_refilling())) pump();
        for (const auto& [tag, e] : settled_) {
            histograms_.service.record((now - e.sent).count());
            if (schedule_) histograms_.response.record((now - e.intended).count());
            write_row(tag, e, now.count(), 0);
        }
        if (running()) prepare_next();
        if (active() && window_.in_flight() == 0 && (!running() || next_ == options_.count)) finish();
    }

    void on_refused(std::uint64_t tag, const failure& why) override {
        const auto e = window_.settle(tag);
        ++counted_.failed;
        write_row(tag, e, absent, why.code.value());
        fail(why);
    }

    void on_resend() override { window_.resend(); }
    void on_dead(const failure& why) override {
        auto told = why;
        if (window_.in_flight() > 0) {
            told.message += "; " + std::to_string(window_.in_flight()) + " messages of thread " +
                            std::to_string(index_) + " were not acknowledged";
        }
        fail(std::move(told));
    }

    void on_stop() override {
        link_->end_batch();
        link_->flush();
        if (window_.in_flight() == 0) finish();
    }

    void on_abandon() override {
        window_.for_each_unsettled([this](std::uint64_t tag, const send_window::entry& e) {
            write_row(tag, e, absent, static_cast<int>(errc::maybe_executed));
        });
    }

    void close_link() override {
        pace_timer_.cancel();
        if (schedule_) histograms_.lateness.merge(schedule_->lateness());
        link_->close();
    }
    link_counters link_stats() const override { return link_->counters(); }

    void write_row(std::uint64_t tag, const send_window::entry& e, std::int64_t acked, int error) {
        sent_row row;
        row.id = ids_.at(tag);
        row.intended = e.intended.count();
        row.sent = e.sent.count();
        row.acked = acked;
        row.size = e.size;
        row.worker = static_cast<std::uint16_t>(index_);
        row.attempts = e.attempts;
        row.error = error;
        record(row);
    }

    const produce_options& options_;
    send_window window_;
    const std::size_t flush_every_;
    id_writer ids_;
    payload_source payload_;
    std::unique_ptr<producer_link> link_;
    std::optional<measure::paced_driver> schedule_;
    boost::asio::steady_timer pace_timer_;
    std::vector<std::pair<std::uint64_t, send_window::entry>> settled_;  // acknowledged, rows not yet written
    std::uint64_t next_ = 0;      // number of the next message, which is also its tag
    std::uint64_t prepared_ = 0;  // messages from next_ on that the link holds ready
    ns full_since_{0};
};

failure refuse(const std::string& text) {
    return failure::of(errc::invalid_argument, text);
}

}  // namespace

produce_program::produce_program(produce_options options) : program(options), settings_(std::move(options)) {
    if (settings_.instance.empty()) settings_.instance = random_instance();
}

failure produce_program::check() const {
    if (settings_.count == 0) return refuse("count must be at least 1 message per thread");
    if (settings_.size == 0) return refuse("size must be at least 1 byte");
    if (settings_.size > 512U * 1024 * 1024) return refuse("size must be at most 512 MiB");
    if (settings_.window == 0) return refuse("window must be at least 1 message");
    if (settings_.window > 10'000'000) return refuse("window must be at most 10 million messages");
    if (settings_.batch > settings_.window)
        return refuse("batch must not exceed window: a batch could never be filled");
    if (!valid_instance(settings_.instance)) return refuse("instance must be 1 to 24 characters of [0-9A-Za-z_.-]");
    if (settings_.rate != 0) return measure::pacer::check(settings_.rate / static_cast<double>(settings_.threads));
    return {};
}

failure produce_program::make_worker(std::size_t index, net::io_thread& thread, std::unique_ptr<worker>& out) {
    auto made = std::make_unique<produce_worker>(*this, settings_, index, thread);
    if (auto bad = made->prepare()) return bad;
    out = std::move(made);
    return {};
}

}  // namespace headrace::mq
