// The classes of headrace._core.http that an App is made of: launchers, routes, the table of accepted work.
// Threads:  with the GIL.   Errors: Python errors.
#pragma once

#include <pybind11/pybind11.h>

namespace headrace::bindings {

void register_app_routes(pybind11::module_& m);

}  // namespace headrace::bindings
