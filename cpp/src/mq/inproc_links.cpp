// Both links of inproc://, over mq/inproc_broker.hpp.
#include <algorithm>
#include <charconv>
#include <headrace/mq/inproc_broker.hpp>

#include "adapters.hpp"

namespace headrace::mq {
namespace {

// Posted closures and wakers may outlive their link, and wakers its I/O thread: both look here first.
class life {
public:
    explicit life(net::io_thread& thread) : thread_(&thread) {}
    /// On the link's own thread.
    bool alive() const noexcept { return alive_; }
    /// From any thread: runs `work` on the link's thread, unless the link was closed.
    template <class F>
    void post(F work) {
        lock_guard hold(mutex_);
        if (thread_ != nullptr) thread_->post(std::move(work));
    }
    void end() {
        lock_guard hold(mutex_);
        alive_ = false;
        thread_ = nullptr;
    }

private:
    mutex mutex_;
    net::io_thread* thread_ HEADRACE_GUARDED_BY(mutex_);
    bool alive_ = true;
};

class inproc_producer_link final : public producer_link {
public:
    inproc_producer_link(net::io_thread& thread, std::shared_ptr<inproc_topic> topic, std::size_t batch,
                         listener& events)
        : thread_(thread), topic_(std::move(topic)), batch_(batch), events_(events) {}
    ~inproc_producer_link() override { inproc_producer_link::close(); }

    void open() override {
        thread_.post([this, life = life_] {
            if (life->alive()) events_.on_open();
        });
    }
    void send(std::uint64_t tag, std::string_view id, std::string_view payload) override {
        if (!open_slab_) open_slab_ = std::make_shared<inproc_slab>();
        open_slab_->add(tag, id, payload);
        counters_.bytes_out += id.size() + payload.size();
        if (open_slab_->items.size() >= (batch_ > 1 ? batch_ : merge_limit)) seal();
    }
    void end_batch() override {
        if (batch_ > 1) seal();
    }
    void flush() override {
        if (batch_ <= 1) seal();
        publish();
    }
    void close() override { life_->end(); }
    link_counters counters() const override { return counters_; }

private:
    // Single messages share a slab until the flush: a request is what the caller batches, a write is one publish().
    void seal() {
        if (!open_slab_) return;
        counters_.requests += batch_ > 1 ? 1 : open_slab_->items.size();
        ready_.push_back(std::move(open_slab_));
        open_slab_.reset();
    }
    void publish() {
        while (!ready_.empty() && !blocked_) {
            auto& slab = ready_.front();
            if (!topic_->publish(slab, waker())) {
                blocked_ = true;
                return;
            }
            ++counters_.writes;
            for (const auto& item : slab->items) accepted_.push_back(item.tag);
            ready_.pop_front();
        }
        if (accepted_.empty() || reporting_) return;
        reporting_ = true;
        thread_.post([this, life = life_] {
            if (life->alive()) report();
        });
    }
    // From the thread of whoever made room.
    inproc_topic::waker waker() {
        return [this, life = life_] {
            life->post([this, life] {
                if (!life->alive()) return;
                blocked_ = false;
                publish();
            });
        };
    }
    void report() {
        reporting_ = false;
        std::vector<std::uint64_t> tags;
        tags.swap(accepted_);
        events_.on_acks(tags, monotonic_now());
    }

    static constexpr std::size_t merge_limit = 1024;
    net::io_thread& thread_;
    std::shared_ptr<inproc_topic> topic_;
    const std::size_t batch_;
    listener& events_;
    std::shared_ptr<class life> life_ = std::make_shared<class life>(thread_);
    std::shared_ptr<inproc_slab> open_slab_;
    std::deque<std::shared_ptr<inproc_slab>> ready_;
    std::vector<std::uint64_t> accepted_;
    bool blocked_ = false;
    bool reporting_ = false;
    link_counters counters_;
};

class inproc_consumer_link final : public consumer_link {
public:
    inproc_consumer_link(net::io_thread& thread, std::shared_ptr<inproc_topic> topic,
                         const consumer_link_options& options, listener& events)
        : thread_(thread),
          topic_(std::move(topic)),
          group_(options.group),
          batch_(std::max<std::size_t>(options.batch, 1)),
          events_(events),
          member_(topic_->join(group_)) {}
    ~inproc_consumer_link() override { inproc_consumer_link::close(); }

    void open() override {
        thread_.post([this, life = life_] {
            if (life->alive()) events_.on_open();
        });
    }
    void allow(std::size_t messages) override { credit_ += messages; }
    void ack(std::span<const std::uint64_t> tags) override { acking_.insert(acking_.end(), tags.begin(), tags.end()); }
    void flush() override { schedule(); }
    void close() override {
        if (!life_->alive()) return;
        life_->end();
        topic_->leave(group_, member_);
    }
    link_counters counters() const override { return counters_; }

private:
    void schedule() {
        if (scheduled_) return;
        scheduled_ = true;
        thread_.post([this, life = life_] {
            if (!life->alive()) return;
            scheduled_ = false;
            run();
        });
    }
    // A bounded stretch of work, then back to the loop.
    void run() {
        for (int turn = 0; turn < 16 && life_->alive(); ++turn) {
            confirm();
            if (!life_->alive() || credit_ == 0 || !take()) return;
        }
        schedule();
    }
    void confirm() {
        if (acking_.empty()) return;
        std::vector<std::uint64_t> tags;
        tags.swap(acking_);
        counters_.requests += (tags.size() + batch_ - 1) / batch_;
        sequences_.clear();
        for (const auto tag : tags) {
            auto& h = hands_[static_cast<std::size_t>(tag - first_tag_)];
            h.acked = true;
            sequences_.push_back(h.sequence);
        }
        for (; !hands_.empty() && hands_.front().acked; ++first_tag_) hands_.pop_front();
        topic_->ack(group_, sequences_);
        events_.on_acked(tags, monotonic_now());
    }
    bool take() {
        taken_.clear();
        const auto wanted = std::min(batch_, credit_);
        ++counters_.requests;
        ++counters_.reads;
        topic_->take(group_, member_, wanted, waker(), taken_);
        if (taken_.empty()) return false;
        credit_ -= taken_.size();
        deliveries_.clear();
        for (const auto& m : taken_) {
            const auto id = m.slab->id(m.index);
            const auto payload = m.slab->payload(m.index);
            counters_.bytes_in += id.size() + payload.size();
            deliveries_.push_back({first_tag_ + hands_.size(), id, payload, id, m.redelivered});
            hands_.push_back({m.sequence, false});
        }
        events_.on_messages(deliveries_, monotonic_now());
        return taken_.size() == wanted;
    }
    // From the thread of whoever published.
    inproc_topic::waker waker() {
        return [this, life = life_] {
            life->post([this, life] {
                if (life->alive()) run();
            });
        };
    }

    net::io_thread& thread_;
    std::shared_ptr<inproc_topic> topic_;
    const std::string group_;
    const std::size_t batch_;
    listener& events_;
    const std::uint64_t member_;
    std::shared_ptr<class life> life_ = std::make_shared<class life>(thread_);
    std::size_t credit_ = 0;
    struct hand {
        std::uint64_t sequence;
        bool acked;
    };
    std::deque<hand> hands_;  // delivered, by tag; the front is first_tag_
    std::uint64_t first_tag_ = 0;
    std::vector<std::uint64_t> acking_;     // tags
    std::vector<std::uint64_t> sequences_;  // of the same messages
    std::vector<inproc_message> taken_;
    std::vector<delivery> deliveries_;
    bool scheduled_ = false;
    link_counters counters_;
};

failure open_topic(const net::url& address, const std::string& topic, std::shared_ptr<inproc_topic>& out) {
    std::size_t limit = inproc_topic::default_max_queue_size;
    for (const auto& [key, text] : address.query) {
        if (key != "max_queue_size") {
            return failure::of(errc::invalid_argument, address.display() + ": unknown option '" + key + "' in the url");
        }
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
        if (error != std::errc{} || end != text.data() + text.size() || limit == 0) {
            return failure::of(errc::invalid_argument, "max_queue_size must be a positive number, not '" + text + "'");
        }
    }
    out = inproc_topic::get(address.host + "/" + topic, limit);
    return {};
}

}  // namespace

failure make_inproc_producer_link(const net::url& address, const producer_link_options& options, net::io_thread& thread,
                                  producer_link::listener& events, std::unique_ptr<producer_link>& out) {
    std::shared_ptr<inproc_topic> topic;
    if (auto bad = open_topic(address, options.topic, topic)) return bad;
    out = std::make_unique<inproc_producer_link>(thread, std::move(topic), options.batch, events);
    return {};
}

failure make_inproc_consumer_link(const net::url& address, const consumer_link_options& options, net::io_thread& thread,
                                  consumer_link::listener& events, std::unique_ptr<consumer_link>& out) {
    std::shared_ptr<inproc_topic> topic;
    if (auto bad = open_topic(address, options.topic, topic)) return bad;
    out = std::make_unique<inproc_consumer_link>(thread, std::move(topic), options, events);
    return {};
}

}  // namespace headrace::mq
