#include <headrace/batch/graph_node.hpp>

namespace headrace::batch {

// Only a node that no graph has taken still has edges here.
graph_node::~graph_node() {
    while (graph_edge* e = in_) {
        in_ = e->next_in;
        release(e->dependency);
        delete e;
    }
    if (cause_ != nullptr && cause_ != this) release(cause_);
}

// A node may hold the last reference to another one, and so on for a million of them: a loop, not a recursion.
void graph_node::release_last(graph_node* node) noexcept {
    [[gnu::tls_model("initial-exec")]] thread_local timer_node* dead = nullptr;
    [[gnu::tls_model("initial-exec")]] thread_local bool deleting = false;
    node->next = dead;
    dead = node;
    if (deleting) return;
    deleting = true;
    while (dead != nullptr) {
        auto* const next = static_cast<graph_node*>(dead);
        dead = dead->next;
        next->dispose();
    }
    deleting = false;
}

std::string graph_node::label() const {
    return name_ ? "'" + *name_ + "'" : "#" + std::to_string(id_);
}

void graph_node::fail(failure why, std::exception_ptr thrown) {
    error_.reset(new unit_error{{}, std::move(why), std::move(thrown)});
}

failure graph_node::why() const {
    switch (state()) {
        case unit_state::pending:
        case unit_state::done: return {};
        case unit_state::failed:
            if (cause_ == this) return error_->why;
            return {make_error_code(errc::dependency_failed),
                    "unit " + label() + " did not run: unit " + cause_->label() +
                        ", which it depends on, failed: " + cause_->why().message};
        case unit_state::cancelled: break;
    }
    return failure::of(errc::cancelled, cause_ == this
                                            ? "unit " + label() + " was cancelled"
                                            : "unit " + label() + " was cancelled with unit " + cause_->label());
}

}  // namespace headrace::batch
