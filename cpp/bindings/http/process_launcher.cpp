#include "process_launcher.hpp"

#include <cstring>
#include <headrace/exec/thread_pool.hpp>
#include <headrace/http/answer_wire.hpp>
#include <headrace/http/request_wire.hpp>
#include <utility>

#include "../kept_thread_state.hpp"
#include "python_half.hpp"

namespace py = pybind11;

namespace headrace::bindings {
namespace {

using outcome = http::route::outcome;
using net::http::response;

// Something short for a thread that may wait, or may take the GIL.
template <class F>
void elsewhere(F f) {
    class errand final : public exec::task {
    public:
        explicit errand(F what) : f_(std::move(what)) {}
        void run() noexcept override {
            f_();
            delete this;
        }
        void refused(const failure&) noexcept override { delete this; }

    private:
        F f_;
    };
    auto* const e = new errand(std::move(f));
    if (exec::thread_pool::shared()->submit(*e)) delete e;
}

void log_later(std::string route, std::string text) {
    elsewhere([route = std::move(route), text = std::move(text)] {
        const with_gil gil;
        PyObject* const done = PyObject_CallFunction(half().log_text, "ss", route.c_str(), text.c_str());
        if (done == nullptr) PyErr_WriteUnraisable(half().log_text);
        Py_XDECREF(done);
    });
}

// What goes wrong before the route's own code catches it comes as the pool's pickled error.
void log_breakage(std::string route, std::shared_ptr<exec::message_body> body) {
    elsewhere([route = std::move(route), body = std::move(body)] {
        const with_gil gil;
        PyObject* const packed = load(std::exchange(*body, {}));
        PyObject* const text = packed == nullptr ? nullptr : PyObject_Str(packed);
        PyObject* const done =
            text == nullptr ? nullptr : PyObject_CallFunction(half().log_text, "sO", route.c_str(), text);
        if (done == nullptr) PyErr_WriteUnraisable(half().log_text);
        Py_XDECREF(done);
        Py_XDECREF(text);
        Py_XDECREF(packed);
    });
}

/// Pickled work, as the handler's worker sent it.
class packed_work final : public http::detached_work {
public:
    explicit packed_work(std::string b) : bytes(std::move(b)) {}
    const std::string bytes;
};

std::shared_ptr<const exec::process_function> make_function(std::string bytes) {
    static std::atomic<std::uint64_t> last{1'000'000};
    auto made = std::make_shared<exec::process_function>();
    made->id = ++last;
    made->body.bytes = std::move(bytes);
    return made;
}

}  // namespace

class process_launcher::task final : public exec::process_task, public std::enable_shared_from_this<task> {
public:
    explicit task(std::shared_ptr<http::route_job> job) : job_(std::move(job)) { eager = true; }

    bool write(slab_source& slabs) {
        if (job_->detached) {
            request.bytes = http::pickle_arguments(static_cast<const packed_work&>(*job_->work()).bytes);
            return true;
        }
        const auto& q = job_->request();
        const auto head = http::pack(q.head(), q.params(), job_->peer());
        const auto body = q.body();
        if (head.size() + body.size() < large) {
            request.bytes = http::pickle_arguments(head, body);
            return true;
        }
        const auto pickle = http::pickle_arguments_beside(head);
        request.parts = {pickle.size(), body.size()};
        std::uint64_t total = 0;
        const auto offsets = exec::part_offsets(request.parts, total);
        request.slab = slabs.take(total);
        if (!request.slab) return false;
        std::memcpy(request.slab->data() + offsets[0], pickle.data(), pickle.size());
        std::memcpy(request.slab->data() + offsets[1], body.data(), body.size());
        request.slab->fill_all();
        return true;
    }
    void keep() { self_ = shared_from_this(); }
    /// It will not be answered. What is left is to be dropped by the caller.
    std::shared_ptr<task> let_go() { return std::exchange(self_, nullptr); }

    void answered(bool raised, exec::message_body&& body) noexcept override {
        const auto self = let_go();
        if (raised) {
            log_breakage(job_->home().name(), std::make_shared<exec::message_body>(std::move(body)));
            return finish(outcome::raised, response::text(500, "the request could not be handled\n"));
        }
        std::string_view bytes;
        if (!body.slab) {
            if (!http::pickled_bytes(body.bytes, bytes)) return broken();
            return read(bytes);
        }
        // Large, and perhaps still being written: another thread waits for it.
        elsewhere([self, body = std::make_shared<exec::message_body>(std::move(body))] { self->read_slab(*body); });
    }
    void failed(const failure& why) noexcept override {
        const auto self = let_go();
        if (request.slab) request.slab->retire();  // a worker that is being stopped may still read it
        if (why.code == errc::timed_out)
            return finish(outcome::late, response::text(504, "the deadline of this route has passed\n"));
        if (why.code == errc::queue_full || why.code == errc::cancelled) return finish(outcome::refused, {});
        finish(outcome::lost, response::text(502, why.message + "\n"));
    }
    /// Taken back before it began.
    void taken_back() noexcept {
        if (request.slab) request.slab->give_back();
        finish(outcome::refused, {});
    }

private:
    void finish(outcome how, response r) { job_->home().finish(*job_, how, std::move(r)); }
    void broken() { finish(outcome::lost, response::text(502, "the worker's answer could not be read\n")); }

    void read_slab(const exec::message_body& body) {
        std::uint64_t total = 0;
        const auto offsets = exec::part_offsets(body.parts, total);
        const bool good = offsets.size() == 2 && body.slab->wait_filled(offsets[1] + body.parts[1]);
        if (good) {
            read({body.slab->data() + offsets[1], body.parts[1]});
        } else {
            broken();
        }
        body.give_back();
    }

    void read(std::string_view bytes) {
        http::wire_answer a;
        if (!http::unpack(bytes, a)) return broken();
        if (!a.log.empty()) log_later(job_->home().name(), std::move(a.log));
        if (a.what == http::wire_answer::kind::accepted)
            return job_->home().finish_with(*job_, std::make_shared<packed_work>(std::move(a.head.body)));
        finish(a.what == http::wire_answer::kind::raised ? outcome::raised : outcome::good, std::move(a.head));
    }

    const std::shared_ptr<http::route_job> job_;
    std::shared_ptr<task> self_;  // while the pool has it
};

process_launcher::process_launcher(held_object executor, exec::process_pool& pool, std::string call, std::string work)
    : executor_(std::move(executor)),
      pool_(pool),
      call_(make_function(std::move(call))),
      work_(make_function(std::move(work))) {}

process_launcher::~process_launcher() {
    if (PyGILState_Check() != 0) return;
    // Perhaps the pool's own thread, which cannot wait for itself.
    elsewhere([held = std::make_shared<held_object>(std::move(executor_))] {});
}

failure process_launcher::launch(const std::shared_ptr<http::route_job>& job) {
    if (!job->home().begin(*job)) return {};
    const auto t = std::make_shared<task>(job);
    if (!t->write(slabs_)) return failure::of(errc::io_error, "there is no memory for the request");
    t->function = job->detached ? work_ : call_;
    t->deadline = job->deadline();
    t->keep();
    job->set_launched(t);
    if (auto why = pool_.submit(*t)) {
        t->let_go();
        if (t->request.slab) t->request.slab->give_back();
        return why;
    }
    return {};
}

void process_launcher::stop(http::route_job& job) noexcept {
    const auto t = std::static_pointer_cast<task>(job.launched());
    if (!t || !pool_.cancel(*t)) return;
    const auto self = t->let_go();
    t->taken_back();
}

}  // namespace headrace::bindings
