// What headrace._core.http offers for ASGI.   Threads: with the GIL.
#pragma once

#include "channel.hpp"
#include "site.hpp"

namespace headrace::bindings::asgi {

struct site_object {
    site_ref native;
    explicit site_object(const site_ref& s) noexcept : native(s) {}
};

void register_asgi(pybind11::module_& http);

}  // namespace headrace::bindings::asgi
