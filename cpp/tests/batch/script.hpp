// Items and a state machine for scripts: event in, action out.
#pragma once

#include <algorithm>
#include <deque>
#include <headrace/batch/batch_fsm.hpp>
#include <string>
#include <vector>

namespace headrace::batch {

/// An item with a name, for a person to read.
struct named_item final : item {
    named_item() = default;
    explicit named_item(std::string n) : name(std::move(n)) {}
    std::string name;
};

/// Counts what it is given.
struct list_sink final : batch::sink {
    void deliver(item* chain) noexcept override {
        ++deliveries;
        for (; chain != nullptr; chain = chain->next) delivered.push_back(static_cast<named_item*>(chain));
    }
    void recycle(item& it) noexcept override { recycled.push_back(static_cast<named_item*>(&it)); }
    std::vector<named_item*> delivered, recycled;
    int deliveries = 0;
};

/// Drives batch_fsm as an engine does, and puts what comes out into words: "a:done b:timed_out".
class script {
public:
    explicit script(batch_options options = {})
        : fsm(
              options, [](const item&, const item&) { return true; }, ns{0}) {}

    named_item& make(const std::string& name) {
        auto& it = items.emplace_back(name);
        it.sink = &sink;
        return it;
    }
    /// Arrives at `now`.
    named_item& add(const std::string& name, ns now, std::uint64_t key = 0, ns deadline = ns::max(), int priority = 0,
                    std::uint32_t weight = 1, bool held = false) {
        auto& it = make(name);
        it.key = key, it.deadline = deadline, it.weight = weight, it.held = held;
        it.priority = static_cast<std::int16_t>(priority);
        item_access::enter(it, now);
        fsm.arrive(it, now, out);
        return it;
    }
    void cancel(named_item& it) {
        if (item_access::cancel_waiting(it)) {
            fsm.withdraw(it, out);
        } else if (item_access::cancel_running(it)) {
            out.decided.add(it);
        }
    }
    /// The names in the batch that may leave now, with the reason; "" when none may.
    std::string take(ns now) {
        const auto step = fsm.next(now);
        if (!step.dispatch) return "";
        auto& b = batches.emplace_back();
        if (!fsm.take(now, b, out)) {
            batches.pop_back();
            return "";
        }
        std::string text = name_of(step.why);
        text += ':';
        for (const item* it : b.items) text += ' ' + static_cast<const named_item*>(it)->name;
        return text;
    }
    /// The oldest batch ends.
    void end(ns now, bool failed = false) {
        auto& b = batches.front();
        b.failed = failed;
        fsm.finish(b, now, out);
        for (const auto& s : out.shares) out.decided.add(*s.to);
        out.shares.clear();
        for (item* it : b.items) {
            if (item_access::finish(*it)) out.decided.add(*it);
        }
        batches.pop_front();
    }
    /// What was delivered since the last call, sorted by name.
    std::string told() {
        out.decided.deliver();
        for (const auto& h : out.hits) sink.delivered.push_back(static_cast<named_item*>(h.to));
        out.hits.clear();
        std::vector<std::string> words;
        for (const auto* it : sink.delivered) words.push_back(it->name + ':' + state_name(it->state()));
        sink.delivered.clear();
        std::sort(words.begin(), words.end());
        std::string text;
        for (const auto& w : words) text += (text.empty() ? "" : " ") + w;
        return text;
    }

    static std::string state_name(item_state s) {
        switch (s) {
            case item_state::done: return "done";
            case item_state::cancelled: return "cancelled";
            case item_state::timed_out: return "timed_out";
            case item_state::dropped: return "dropped";
            case item_state::too_heavy: return "too_heavy";
            default: return "?";
        }
    }

    list_sink sink;
    std::deque<named_item> items;
    std::deque<running_batch> batches;
    outbox out;
    batch_fsm fsm;
};

}  // namespace headrace::batch
