// Would it be a cycle if `waiter` waited for `other`?
//
// Two searches in turn, one step each: from `other` along what it waits for, and from `waiter` along what waits for it.
// Whichever runs out first has the answer, so the usual cases (a new unit without dependencies, a unit that nobody
// waits for) cost one step, whatever the size of the graph.
#include <headrace/batch/graph_fsm.hpp>
#include <unordered_map>

namespace headrace::batch {
namespace {

class search {
public:
    explicit search(const graph_node& start) : frontier_{&start} { from_.emplace(&start, nullptr); }

    const graph_node* next() noexcept {
        if (frontier_.empty()) return nullptr;
        const graph_node* n = frontier_.back();
        frontier_.pop_back();
        return n;
    }
    void visit(const graph_node* n, const graph_node* from) {
        if (n != nullptr && !n->decided() && from_.emplace(n, from).second) frontier_.push_back(n);
    }
    bool has(const graph_node& n) const { return from_.contains(&n); }
    const graph_node* before(const graph_node* n) const { return from_.at(n); }

private:
    std::unordered_map<const graph_node*, const graph_node*> from_;
    std::vector<const graph_node*> frontier_;
};

// names[i] waits for names[i + 1], the last one for the first.
failure cycle_of(const std::vector<const graph_node*>& names) {
    constexpr std::size_t most = 12;
    std::string text = "this would be a cycle: unit " + names.front()->label();
    if (names.size() == 1) return failure::of(errc::invalid_argument, text + " would wait for itself");
    text += " would wait for " + names[1]->label();
    for (std::size_t i = 2; i < names.size(); ++i) {
        if (i == most) {
            text += ", and so on through " + std::to_string(names.size() - most) + " more";
            break;
        }
        text += ", which waits for " + names[i]->label();
    }
    return failure::of(errc::invalid_argument, text + ", which waits for " + names.front()->label());
}

}  // namespace

failure graph_fsm::refuse_cycle(const graph_node& waiter, const graph_node& other) {
    if (&waiter == &other) return cycle_of({&waiter});
    if (waiter.out_ == nullptr || other.in_ == nullptr) return {};
    search down(other);
    search up(waiter);
    while (!down.has(waiter) && !up.has(other)) {
        const graph_node* d = down.next();
        const graph_node* u = up.next();
        if (d == nullptr || u == nullptr) return {};
        each_dependency(*d, [&](const graph_node& n) { down.visit(&n, d); });
        for (const graph_edge* e = u->out_; e != nullptr; e = e->next_out) up.visit(e->dependant, u);
    }
    std::vector<const graph_node*> names{&waiter};
    if (up.has(other)) {
        for (const graph_node* n = &other; n != &waiter; n = up.before(n)) names.push_back(n);
    } else {
        for (const graph_node* n = down.before(&waiter); n != nullptr; n = down.before(n))
            names.insert(names.begin() + 1, n);
    }
    return cycle_of(names);
}

}  // namespace headrace::batch
