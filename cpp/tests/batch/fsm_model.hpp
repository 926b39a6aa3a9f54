// Random events through the state machine, beside promises that hold whatever the order. Bytes decide, so that a fuzzer, a
// random generator and a failing case speak the same language.
//
// Promises: every item is decided exactly once; no batch is larger, heavier or more than allowed; nothing cancelled or expired
// is in a batch; within a priority, first come, first served (items without a key); nobody waits for ever: when everything
// ended and time has passed, a closed machine has finished.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <headrace/batch/batch_fsm.hpp>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace headrace::batch {

class fsm_model {
public:
    explicit fsm_model(std::span<const std::uint8_t> bytes)
        : bytes_(bytes),
          fsm_(
              options(), [](const item&, const item&) { return true; }, ns{0}),
          options_(fsm_.options()) {}

    /// What was broken, or "".
    std::string run() {
        while (!bytes_.empty() && broken_.empty()) step();
        finish();
        return broken_;
    }
    std::size_t items() const { return items_.size(); }
    std::size_t batches() const { return batch_count_; }

private:
    struct entry final : item {
        std::size_t number = 0;
        int decided = 0;
        bool cancelled = false;
    };
    struct recorder final : sink {
        void deliver(item* chain) noexcept override {
            for (; chain != nullptr; chain = chain->next) ++static_cast<entry*>(chain)->decided;
        }
        void recycle(item&) noexcept override {}
    };

    std::uint8_t byte() {
        if (bytes_.empty()) return 0;
        const std::uint8_t b = bytes_.front();
        bytes_ = bytes_.subspan(1);
        return b;
    }
    batch_options options() {
        batch_options o;
        o.max_batch_size = 1 + byte() % 8;
        const auto shape = byte();
        if ((shape & 1) != 0) o.max_batch_weight = 4 + byte() % 8;
        if ((shape & 2) != 0) o.batch_wait_timeout = ns{byte() % 32};
        if ((shape & 4) != 0) o.rate_limit = {1e8, 1.0 + byte() % 4, (shape & 8) != 0};
        o.max_concurrent_batches = 1 + (shape >> 6);
        if ((shape & 16) != 0) {
            o.on_full = full_policy::drop_oldest;
            o.max_queue_size = 1 + byte() % 16;
        }
        if ((shape & 32) != 0) o.cache_size = 2;
        return o;
    }

    void step() {
        const auto what = byte();
        switch (what % 10) {
            case 0:
            case 1:
            case 2:
            case 3: arrive(); break;
            case 4: cancel(); break;
            case 5: now_ += ns{byte()}; break;
            case 6: end(); break;
            case 7: fsm_.sweep(now_, out_); break;
            case 8:
                if (what < 50) fsm_.flush();
                if (what > 240) reconfigure();
                break;
            default: dispatch(); break;
        }
        hand_over();
    }

    void arrive() {
        if (closed_) return;
        entry& e = items_.emplace_back();
        e.number = items_.size();
        e.sink = &sink_;
        const auto shape = byte();
        e.key = (shape & 1) != 0 ? 1 + byte() % 4 : 0;
        e.priority = static_cast<std::int16_t>((shape & 2) != 0 ? byte() % 3 - 1 : 0);
        e.weight = (shape & 4) != 0 ? byte() % 12 : 1;
        if ((shape & 8) != 0) e.deadline = now_ + ns{byte()};
        e.held = (shape & 48) == 48;
        item_access::enter(e, now_);
        if ((shape & 192) == 192) give_up(e);  // cancelled on the way in
        fsm_.arrive(e, now_, out_);
        if (e.cancelled) fsm_.withdraw(e, out_);
    }
    void give_up(entry& e) { e.cancelled = item_access::cancel_waiting(e); }

    void cancel() {
        if (items_.empty()) return;
        entry& e = items_[byte() % items_.size()];
        if (item_access::cancel_waiting(e)) {
            e.cancelled = true;
            if (byte() % 4 == 0) dispatch();  // a batch forms before the machine hears of it
            fsm_.withdraw(e, out_);
        } else if (item_access::cancel_running(e)) {
            e.cancelled = true;
            out_.decided.add(e);
        }
    }

    void dispatch() {
        while (fsm_.next(now_).dispatch) {
            running_batch& b = running_.emplace_back();
            if (!fsm_.take(now_, b, out_)) {
                running_.pop_back();
                continue;
            }
            ++batch_count_;
            check(b);
        }
    }

    void check(const running_batch& b) {
        expect(b.items.size() <= options_.max_batch_size, "a batch is too large");
        expect(running_.size() <= options_.max_concurrent_batches, "too many batches");
        std::uint64_t weight = 0;
        std::map<int, std::size_t> last;
        for (const item* it : b.items) {
            const auto& e = *static_cast<const entry*>(it);
            weight += e.weight;
            expect(!e.cancelled && e.decided == 0, "a decided item is in a batch");
            expect(e.deadline > now_, "an expired item is in a batch");
            if (e.key != 0) continue;
            expect(last[e.priority] < e.number, "not first come, first served");
            last[e.priority] = e.number;
        }
        expect(options_.max_batch_weight == 0 || weight <= options_.max_batch_weight, "a batch is too heavy");
        if (options_.on_full == full_policy::drop_oldest) {
            expect(fsm_.waiting() <= options_.max_queue_size, "more wait than max_queue_size");
        }
    }

    void end() {
        if (running_.empty()) return;
        running_batch& b = running_.front();
        b.failed = byte() % 4 == 0;
        if (options_.cache_size != 0 && !b.failed) {
            for (const item* it : b.items) {
                if (it->key == 0) continue;
                const auto kept = std::make_shared<entry>();
                kept->key = it->key;
                b.kept.push_back(kept);
            }
        }
        fsm_.finish(b, now_, out_);
        for (item* it : b.items) {
            if (item_access::finish(*it)) out_.decided.add(*it);
        }
        running_.pop_front();
    }

    void hand_over() {
        for (const auto& s : out_.shares) ++static_cast<entry*>(s.to)->decided;
        for (const auto& h : out_.hits) ++static_cast<entry*>(h.to)->decided;
        out_.shares.clear();
        out_.hits.clear();
        out_.decided.deliver();
    }

    void reconfigure() {
        options_.max_batch_size = 1 + byte() % 8;
        options_.batch_wait_timeout = ns{byte() % 32};
        fsm_.configure(options_, now_);
    }

    void finish() {
        const bool drain = items_.size() % 2 == 0;
        closed_ = true;
        fsm_.close(drain ? stop_mode::drain : stop_mode::cancel, out_);
        for (int i = 0; i < 100'000 && !fsm_.finished(); ++i) {
            dispatch();
            end();
            hand_over();
            now_ += ns{10};
        }
        hand_over();
        expect(fsm_.finished(), "a closed machine does not finish");
        std::size_t waiting = fsm_.take_departed();
        for (const entry& e : items_)
            expect(e.decided == 1, "an item was decided " + std::to_string(e.decided) + " times");
        expect(waiting == items_.size(), "departures do not add up");
    }

    void expect(bool promise, const std::string& what) {
        if (!promise && broken_.empty()) broken_ = what;
    }

    std::span<const std::uint8_t> bytes_;
    recorder sink_;
    std::deque<entry> items_;
    std::deque<running_batch> running_;
    outbox out_;
    batch_fsm fsm_;
    batch_options options_;
    ns now_{0};
    bool closed_ = false;
    std::size_t batch_count_ = 0;
    std::string broken_;
};

}  // namespace headrace::batch
