#include <headrace/mq/program.hpp>

namespace headrace::mq {
namespace {

constexpr ns tick_interval = std::chrono::milliseconds{50};

std::chrono::steady_clock::time_point to_time_point(ns t) {
    return std::chrono::steady_clock::time_point(t);
}

}  // namespace

program::worker::worker(program& owner, std::size_t index, net::io_thread& thread)
    : owner_(owner),
      index_(index),
      thread_(thread),
      start_timer_(thread.context()),
      tick_timer_(thread.context()),
      grace_timer_(thread.context()) {}

program::worker::~worker() = default;

failure program::worker::open_sinks(const program_options& options, measure::row_kind kind,
                                    measure::chunk_writer& csv) {
    if (options.csv_fd >= 0) {
        csv_ = std::make_unique<measure::csv_writer>(csv, measure::csv_options{.anchor = options.anchor});
    }
    if (options.segment.empty() || options.detail == measure::detail_level::summary) return {};
    segment_ = std::make_unique<measure::segment_writer>();
    return segment_->open({.path = options.segment + "-" + std::to_string(index_) + ".seg",
                           .kind = kind,
                           .detail = options.detail,
                           .program = options.segment.substr(options.segment.rfind('/') + 1),
                           .anchor = options.anchor});
}

failure program::worker::close_sinks() {
    csv_.reset();  // hands over what is buffered
    return segment_ ? segment_->close() : failure{};
}

void program::worker::connected() {
    if (phase_ != phase::connecting) return;
    phase_ = phase::ready;
    owner_.worker_connected();
    arm_tick();
}

void program::worker::start(ns at) {
    if (phase_ != phase::ready) return;
    start_timer_.expires_at(to_time_point(at));
    start_timer_.async_wait([this](const boost::system::error_code& ec) {
        if (!ec) begin();
    });
}

void program::worker::begin() {
    if (phase_ != phase::ready) return;
    phase_ = phase::running;
    on_start();
}

void program::worker::stop() {
    if (phase_ == phase::finished || phase_ == phase::stopping) return;
    const bool begun = phase_ == phase::running;
    phase_ = phase::stopping;
    start_timer_.cancel();
    if (!begun) return finish();
    grace_timer_.expires_after(stop_grace);
    grace_timer_.async_wait([this](const boost::system::error_code& ec) {
        if (ec || phase_ == phase::finished) return;
        on_abandon();
        finish();
    });
    on_stop();
}

void program::worker::fail(failure why) {
    if (phase_ == phase::finished) return;
    // The program stops every worker, this one included; but its link is gone, so there is nothing to wait for.
    if (active()) on_abandon();
    finish();
    owner_.fail(std::move(why));
}

void program::worker::finish() {
    if (phase_ == phase::finished) return;
    phase_ = phase::finished;
    start_timer_.cancel();
    tick_timer_.cancel();
    grace_timer_.cancel();
    close_link();
    publish();
    {
        lock_guard hold(mutex_);
        published_histograms_.merge(histograms_);
    }
    if (csv_) csv_->flush();
    if (segment_) segment_->flush();
    owner_.worker_finished();
}

void program::worker::arm_tick() {
    tick_timer_.expires_after(tick_interval);
    tick_timer_.async_wait([this](const boost::system::error_code& ec) {
        if (!ec && phase_ != phase::finished) tick();
    });
}

void program::worker::tick() {
    if (csv_) csv_->flush();
    if (segment_) segment_->flush();
    publish();
    if (sinks_failed()) return;
    owner_.on_tick(*this);
    if (phase_ != phase::finished) arm_tick();
}

bool program::worker::sinks_failed() {
    failure why;
    if (csv_ && csv_->error()) why = owner_.csv_.why();
    if (segment_ && segment_->error()) why = segment_->why();
    if (!why) return false;
    fail(std::move(why));
    return true;
}

void program::worker::publish() {
    counted_.link = link_stats();
    lock_guard hold(mutex_);
    published_ = counted_;
}

program_progress program::worker::progress() const {
    lock_guard hold(mutex_);
    return published_;
}

program_histograms program::worker::histograms() const {
    lock_guard hold(mutex_);
    return published_histograms_;
}

}  // namespace headrace::mq
