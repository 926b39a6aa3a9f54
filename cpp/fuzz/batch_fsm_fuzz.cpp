// Any bytes as events of the batching state machine: its promises hold (cpp/tests/batch/fsm_model.hpp names them).
#include <cstdio>
#include <cstdlib>

#include "fsm_model.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    headrace::batch::fsm_model model({data, size});
    const std::string broken = model.run();
    if (!broken.empty()) {
        std::fprintf(stderr, "%s\n", broken.c_str());
        std::abort();
    }
    return 0;
}
