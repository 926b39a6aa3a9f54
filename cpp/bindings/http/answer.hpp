// What a handler returned, as an answer.
//
//   bytes, bytearray, memoryview   application/octet-stream
//   str                            text/plain; charset=utf-8
//   dict, list                     application/json
//   None                           204
//   Response                       its body as above, its status, headers and content type
//   an iterator, a generator       streamed
//   an async generator             streamed, on asyncio routes
//   Accepted                       202, and work that is done afterwards
// Threads:  with the GIL.   Errors: anything else is a TypeError.
#pragma once

#include <pybind11/pybind11.h>

#include <headrace/net/http_response_writer.hpp>
#include <string>

#include "held_object.hpp"

namespace headrace::bindings {

struct answer {
    enum class kind : std::uint8_t { whole, stream, async_stream, accepted };
    kind what = kind::whole;
    net::http::response head;  ///< with the content when it is whole
    held_object rest;          ///< the iterator, or the Accepted
};

/// False with an error set.
bool to_answer(PyObject* result, answer& out);
/// A piece of a streamed answer: bytes or str. False with an error set.
bool to_piece(PyObject* piece, std::string& out);
/// The content of the common results without a copy: false without an error when it is no such result.
bool view_of(PyObject* result, std::string_view& content_type, std::string_view& content, PyObject*& owner);
/// The exception that is set as the answer of `route`: logged, unless it is an HTTPError. Clears it.
net::http::response answer_raised(const std::string& route);

}  // namespace headrace::bindings
