// The scope of a request: a dict with every key of the specification (asgiref, specs/www.rst, version 2.5).
// Threads:  with the GIL.   Errors: null, with a Python error set.
#pragma once

#include <headrace/net/http_owned_request.hpp>

#include "site.hpp"

namespace headrace::bindings::asgi {

PyObject* make_http_scope(site& s, const net::http::owned_request& q, const net::http::peer_address& peer);
PyObject* make_websocket_scope(site& s, const net::http::owned_request& q, const net::http::peer_address& peer);

}  // namespace headrace::bindings::asgi
