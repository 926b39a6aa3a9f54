// Inside graph_core: what its files share.
#pragma once

#include <headrace/batch/graph_core.hpp>
#include <utility>
#include <vector>

namespace headrace::batch {

// Takes units in turn, on one worker of the pool.
struct graph_core::runner final : exec::task {
    void run() noexcept override {
        const std::shared_ptr<graph_core> core = std::move(keep);
        core->work(*this);
    }
    void refused(const failure& why) noexcept override {
        const std::shared_ptr<graph_core> core = std::move(keep);
        core->pool_refused(*this, why);
    }
    std::shared_ptr<graph_core> keep;  // while the pool has it
};

// A batcher that units of this graph use.
struct graph_core::holder {
    std::shared_ptr<flushable> batcher;
    holder* next = nullptr;
    std::atomic<bool> waiting{false};
};

// What a stay under the lock leaves to do without it. The buffers are used again.
struct graph_core::turn {
    graph_effects effects;
    runner* start = nullptr;  // a chain
    std::vector<flushable*> flush;
    bool on_alarm = false;             // ring() sets the alarm, and calls drop()
    std::vector<graph_node*> dropped;  // references that ring() gives up
    bool quiescent = false;
    std::size_t more = 0;  // runners to start because nothing moves
    ns alarm = ns::max();

    void drop() noexcept {
        for (graph_node* n : dropped) graph_node::release(n);
        dropped.clear();
    }
};

}  // namespace headrace::batch
