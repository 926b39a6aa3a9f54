// A loop_inbox as Python holds it.   Threads: with the GIL.
#pragma once

#include "loop_inbox.hpp"

namespace headrace::bindings {

struct inbox_object {
    std::shared_ptr<loop_inbox> native;
    /// Of the running loop.
    inbox_object();
};

}  // namespace headrace::bindings
