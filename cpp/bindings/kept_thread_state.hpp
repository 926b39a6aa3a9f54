// Holding the GIL for a while on a thread of ours that runs user code: its Python thread state is kept until the thread
// ends, because making one anew costs more than a short call.
// Threads:  of ours, not Python's own.   Stop: such threads are joined before the interpreter goes.
#pragma once

#include <pybind11/pybind11.h>

namespace headrace::bindings {

class with_gil {
public:
    with_gil() { here().enter(); }
    ~with_gil() { PyEval_SaveThread(); }
    with_gil(const with_gil&) = delete;
    with_gil& operator=(const with_gil&) = delete;

private:
    class kept {
    public:
        void enter() {
            if (state_ != nullptr) return PyEval_RestoreThread(state_);
            PyGILState_Ensure();
            state_ = PyGILState_GetThisThreadState();
        }
        kept() = default;
        kept(const kept&) = delete;
        kept& operator=(const kept&) = delete;
        ~kept() {
            if (state_ == nullptr || Py_IsInitialized() == 0) return;
            PyEval_RestoreThread(state_);
            PyGILState_Release(PyGILState_UNLOCKED);
        }

    private:
        PyThreadState* state_ = nullptr;
    };
    static kept& here() {
        static thread_local kept state;
        return state;
    }
};

}  // namespace headrace::bindings
