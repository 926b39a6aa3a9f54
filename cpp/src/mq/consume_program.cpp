#include <algorithm>
#include <headrace/base/inline_text.hpp>
#include <headrace/base/ring.hpp>
#include <headrace/mq/consume_program.hpp>
#include <headrace/mq/consumer_link.hpp>

namespace headrace::mq {
namespace {

using measure::absent;
using measure::received_row;

class consume_worker final : public program::worker, private consumer_link::listener {
public:
    consume_worker(program& owner, const consume_options& options, receive_budget& budget,
                   std::atomic<std::int64_t>& last_message, std::size_t index, net::io_thread& thread)
        : worker(owner, index, thread), options_(options), budget_(budget), last_message_(last_message) {
        // Enough under way to hide a round trip, little enough that another consumer gets its share.
        prefetch_ = std::max<std::size_t>(options.batch * 2, 256);
    }

    failure prepare() {
        consumer_link_options link;
        link.topic = options_.topic;
        link.group = options_.group;
        link.batch = options_.batch;
        link.claim_idle = options_.claim_idle;
        link.give_up_after = options_.give_up_after;
        return make_consumer_link(options_.url, link, thread_, *this, link_);
    }
    void open() override { link_->open(); }

    /// Leave that another thread gave back may be taken; all may be done.
    void check() {
        if (!running()) return;
        if (budget_.complete()) return finish_when_acked();
        ask();
        link_->flush();
    }

private:
    struct hand {
        inline_text id;
        ns received;
        std::uint32_t size;
        bool redelivered;
        bool settled;
    };

    void on_open() override { connected(); }
    void on_start() override {
        last_message_ = monotonic_now().count();
        check();
    }

    void ask() {
        const std::size_t busy = asked_ + in_flight();
        if (busy >= prefetch_) return;
        const auto granted = budget_.reserve(prefetch_ - busy);
        if (granted == 0) return;
        asked_ += granted;
        link_->allow(granted);
    }

    std::size_t in_flight() const noexcept { return static_cast<std::size_t>(counted_.in_flight); }

    void on_messages(std::span<const delivery> messages, ns now) override {
        tags_.clear();
        hashes_.clear();
        for (const auto& m : messages) {
            auto& h = hands_.push_back();
            h.id.assign(m.id);
            h.received = now;
            h.size = static_cast<std::uint32_t>(m.payload.size());
            h.redelivered = m.redelivered;
            h.settled = false;
            tags_.push_back(m.tag);
            if (budget_.limited()) hashes_.push_back(id_hash(m.id));
            if (m.redelivered) ++counted_.redelivered;
            counted_.payload_bytes += m.payload.size();
        }
        asked_ -= std::min(asked_, messages.size());
        counted_.duplicates += budget_.received(hashes_);
        counted_.received += messages.size();
        counted_.in_flight += messages.size();
        if (counted_.first.count() == 0) counted_.first = now;
        last_message_.store(now.count(), std::memory_order_relaxed);
        link_->ack(tags_);
        if (running()) ask();
        link_->flush();
    }

    void on_acked(std::span<const std::uint64_t> tags, ns now) override {
        for (const auto tag : tags) {
            auto& h = hands_[static_cast<std::size_t>(tag - first_tag_)];
            h.settled = true;
            histograms_.service.record((now - h.received).count());
            write_row(h, now.count(), 0);
        }
        for (; !hands_.empty() && hands_.front().settled; ++first_tag_) hands_.pop_front();
        counted_.receive_acked += tags.size();
        counted_.in_flight -= tags.size();
        counted_.last = now;
        if (!running()) {
            if (in_flight() == 0 && active()) finish();
            return;
        }
        check();
    }

    void finish_when_acked() {
        if (in_flight() == 0) finish();
    }

    void on_dead(const failure& why) override { fail(why); }
    void on_stop() override { finish_when_acked(); }
    void on_abandon() override {
        for (std::size_t i = 0; i < hands_.size(); ++i) {
            if (!hands_[i].settled) write_row(hands_[i], absent, static_cast<int>(errc::maybe_executed));
        }
    }
    void close_link() override { link_->close(); }
    link_counters link_stats() const override { return link_->counters(); }

    void write_row(const hand& h, std::int64_t acked, int error) {
        received_row row;
        row.id = h.id.view();
        row.received = h.received.count();
        row.receive_acked = acked;
        row.size = h.size;
        row.worker = static_cast<std::uint16_t>(index_);
        row.redelivered = h.redelivered ? 1 : 0;
        row.error = error;
        record(row);
    }

    const consume_options& options_;
    receive_budget& budget_;
    std::atomic<std::int64_t>& last_message_;
    std::unique_ptr<consumer_link> link_;
    std::size_t prefetch_;
    std::size_t asked_ = 0;  // allowed and not yet delivered
    ring<hand> hands_;       // delivered, by tag
    std::uint64_t first_tag_ = 0;
    std::vector<std::uint64_t> tags_;
    std::vector<std::uint64_t> hashes_;
};

}  // namespace

consume_program::consume_program(consume_options options)
    : program(options), settings_(std::move(options)), budget_(settings_.count) {}

failure consume_program::check() const {
    if (settings_.timeout.count() < 0) return failure::of(errc::invalid_argument, "timeout must not be negative");
    if (settings_.claim_idle.count() <= 0) return failure::of(errc::invalid_argument, "claim_idle must be more than 0");
    if (settings_.batch > 1'000'000) return failure::of(errc::invalid_argument, "batch must be at most 1,000,000");
    return {};
}

failure consume_program::make_worker(std::size_t index, net::io_thread& thread, std::unique_ptr<worker>& out) {
    auto made = std::make_unique<consume_worker>(*this, settings_, budget_, last_message_, index, thread);
    if (auto bad = made->prepare()) return bad;
    out = std::move(made);
    return {};
}

void consume_program::on_tick(worker& w) {
    const ns quiet = monotonic_now() - ns{last_message_.load(std::memory_order_relaxed)};
    const bool quiet_too_long =
        settings_.timeout.count() != 0 && last_message_.load() != 0 && quiet >= settings_.timeout;
    if (!quiet_too_long) return static_cast<consume_worker&>(w).check();
    if (!budget_.limited() || budget_.complete()) return stop();
    fail(failure::of(errc::timed_out,
                     "received " + std::to_string(budget_.distinct()) + " of " + std::to_string(settings_.count) +
                         " messages of topic " + settings_.topic + ", then none for " +
                         std::to_string(std::chrono::duration<double>(settings_.timeout).count()) + " s"));
}

}  // namespace headrace::mq
