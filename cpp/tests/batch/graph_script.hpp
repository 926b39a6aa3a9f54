// A graph as a script: event in, what may run out. No thread, no clock.
#pragma once

#include <headrace/batch/graph_fsm.hpp>
#include <headrace/batch/unit.hpp>
#include <map>
#include <string>
#include <vector>

namespace headrace::batch {

struct unit_shape {
    bool body = true;
    bool remote = false;
    std::uint8_t priority = 0;
    ns delay{0};
};

class scripted_node : public graph_node {
public:
    scripted_node(std::string name, unit_shape shape) {
        name_ = std::make_unique<std::string>(std::move(name));
        body_ = shape.body;
        remote_ = shape.remote;
        priority_ = shape.priority;
        time = shape.delay;
    }
    void depends_on(graph_node& other) {
        auto* e = new graph_edge;
        e->dependant = this;
        e->dependency = &other;
        other.retain();
        unit_access::add_edge(*this, *e);
    }
    using graph_node::fail;
    void waits_for(graph_node& other) {
        wait.kind = graph_wait::what::unit;
        wait.other = &other;
        unit_access::suspend_on(*this, wait);
    }
    void waits_for(ns d) {
        wait.kind = graph_wait::what::timer;
        wait.duration = d;
        unit_access::suspend_on(*this, wait);
    }
    void waits_outside() {
        wait.kind = graph_wait::what::outside;
        unit_access::suspend_on(*this, wait);
    }
    graph_wait wait;
};

class script {
public:
    explicit script(std::size_t limit = 0, std::size_t history = 0) : fsm(limit, history) {}
    ~script() {
        fsm.cancel_all(now);
        while (graph_node* n = fsm.take()) fsm.end(*n, now);
        drop();
        for (auto& [name, n] : nodes) graph_node::release(n);
    }

    scripted_node& make(const std::string& name, const std::vector<std::string>& after = {}, unit_shape shape = {}) {
        auto* n = new scripted_node(name, shape);
        for (const auto& a : after) n->depends_on(*nodes.at(a));
        nodes[name] = n;
        return *n;
    }
    scripted_node& add(const std::string& name, const std::vector<std::string>& after = {}, unit_shape shape = {}) {
        scripted_node& n = make(name, after, shape);
        n.retain();
        fsm.add(n, now);
        return n;
    }
    scripted_node& operator[](const std::string& name) { return *nodes.at(name); }
    std::string take() {
        graph_node* n = fsm.take();
        return n == nullptr ? "" : std::string(n->name());
    }
    void end(const std::string& name) { fsm.end((*this)[name], now); }
    void fail(const std::string& name, std::string text) {
        (*this)[name].fail(failure::of(errc::user_error, std::move(text)));
        end(name);
    }
    template <class What>
    void suspend(const std::string& name, What&& what) {
        (*this)[name].waits_for(what);
        fsm.suspend((*this)[name], now);
    }
    void suspend_outside(const std::string& name) {
        (*this)[name].waits_outside();
        fsm.suspend((*this)[name], now);
    }
    unit_state state(const std::string& name) { return nodes.at(name)->state(); }

    /// What was decided since the last call.
    std::vector<std::string> decided() {
        std::vector<std::string> names;
        for (const graph_node* n : fsm.effects().decided) names.emplace_back(n->name());
        drop();
        return names;
    }
    void drop() {
        graph_effects& e = fsm.effects();
        for (auto* list : {&e.decided, &e.released, &e.abandoned}) {
            for (graph_node* n : *list) graph_node::release(n);
        }
        e.clear();
    }

    graph_fsm fsm;
    ns now{0};
    std::map<std::string, scripted_node*> nodes;
};

}  // namespace headrace::batch
