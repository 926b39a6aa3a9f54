// What a link counted, as keys of a dict.
#pragma once

#include <pybind11/pybind11.h>

#include <headrace/mq/message.hpp>

namespace headrace::bindings {

inline void put_link(pybind11::dict& d, const mq::link_counters& c) {
    d["requests"] = c.requests;
    d["writes"] = c.writes;
    d["reads"] = c.reads;
    d["bytes_out"] = c.bytes_out;
    d["bytes_in"] = c.bytes_in;
    d["reconnects"] = c.reconnects;
    d["resent"] = c.resent;
    d["dropped_by_broker"] = c.dropped_by_broker;
}

}  // namespace headrace::bindings
