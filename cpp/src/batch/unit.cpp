#include <headrace/batch/unit_task.hpp>

namespace headrace::batch {

void unit_access::fail_with_current(graph_node& n) noexcept {
    const std::exception_ptr thrown = std::current_exception();
    try {
        throw;
    } catch (const unit_failed& e) {
        n.fail(e.why(), thrown);
    } catch (const std::exception& e) {
        n.fail(failure::of(errc::user_error, "unit " + n.label() + " failed: " + e.what()), thrown);
    } catch (...) {
        n.fail(failure::of(errc::user_error, "unit " + n.label() + " failed with an exception that has no text"),
               thrown);
    }
}

void throw_if_cancelled(const graph_node& self) {
    if (unit_access::cancelled(self)) throw unit_cancelled(self.why());
}

void throw_failure_of(const graph_node& other) {
    const graph_node* cause = other.cause();
    if (cause == &other && other.thrown()) std::rethrow_exception(other.thrown());
    throw unit_failed(other.why());
}

}  // namespace headrace::batch
