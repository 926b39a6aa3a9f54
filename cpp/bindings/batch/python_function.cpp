#include "python_function.hpp"

#include "../errors.hpp"
#include "core.hpp"
#include "results.hpp"

namespace headrace::bindings {
namespace {

// What PyGILState keeps for this thread from its first batch to its end.
class kept_thread_state {
public:
    void enter() {
        if (state_ == nullptr) {
            PyGILState_Ensure();
            state_ = PyGILState_GetThisThreadState();
        } else {
            PyEval_RestoreThread(state_);
        }
    }
    void leave() noexcept { PyEval_SaveThread(); }
    ~kept_thread_state() {
        if (state_ == nullptr || Py_IsInitialized() == 0) return;
        PyEval_RestoreThread(state_);
        PyGILState_Release(PyGILState_UNLOCKED);
    }

private:
    PyThreadState* state_ = nullptr;
};
thread_local kept_thread_state here;

}  // namespace

void python_function::run(std::span<batch::item* const> items) {
    here.enter();
    PyObject* list = arguments_of(items);
    PyObject* returned = list == nullptr ? nullptr : PyObject_CallOneArg(function_, list);
    Py_XDECREF(list);
    const bool good = give_results(core_, items, returned);
    here.leave();
    if (!good) throw failure_error(failure::of(errc::cancelled, "the batch function failed"));
}

}  // namespace headrace::bindings
