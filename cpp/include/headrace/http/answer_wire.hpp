// What a worker process answers for a route, as bytes; and those bytes as they lie in a pickle.
//
// The worker pickles one bytes object; the parent reads it without the interpreter, so that its threads answer clients
// without the GIL. Lengths as in request_wire.
// Threads:  plain values.
// Errors:   false for what is not of this form.
#pragma once

#include <headrace/net/http_response_writer.hpp>
#include <string>
#include <string_view>

namespace headrace::http {

struct wire_answer {
    enum class kind : std::uint8_t {
        whole,
        accepted,  ///< the content is the pickled work
        raised,
    };
    kind what = kind::whole;
    net::http::response head;
    std::string log;  ///< of what was raised; empty: nothing is to be logged
};

/// Everything but the content, which follows.
std::string pack_head(const wire_answer& a);
bool unpack(std::string_view bytes, wire_answer& out);

/// The bytes of a pickled bytes object (protocol 5), in place.
bool pickled_bytes(std::string_view pickle, std::string_view& out);
/// The pickle of ((first,), None) or ((first, second), None): arguments of a call in a worker.
std::string pickle_arguments(std::string_view first);
std::string pickle_arguments(std::string_view first, std::string_view second);
/// The same, the second in the first buffer beside the pickle.
std::string pickle_arguments_beside(std::string_view first);

}  // namespace headrace::http
