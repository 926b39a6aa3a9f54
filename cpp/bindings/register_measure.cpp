// headrace._core.measure: the table of contents of its topics.
#include "register_measure.hpp"

namespace headrace::bindings {

void register_measure(py::module_& m) {
    py::module_ measure = m.def_submodule("measure", "Histograms, schedules and recorded rows; see headrace.measure.");
    register_histogram(measure);
    register_pacer(measure);
    register_segments(measure);
}

}  // namespace headrace::bindings
