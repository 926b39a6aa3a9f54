#include <charconv>

#include "bridge/asyncio_names.hpp"
#include "bridge/future.hpp"
#include "errors.hpp"
#include "redis_client.hpp"
#include "redis_convert.hpp"
#include "waiting.hpp"

namespace headrace::bindings {
namespace {

// The name in "*2\r\n$3\r\nGET\r\n...".
std::string name_of(std::string_view formatted) {
    const auto dollar = formatted.find('$');
    std::size_t size = 0;
    const auto digits = std::from_chars(formatted.data() + dollar + 1, formatted.data() + formatted.size(), size);
    return std::string(digits.ptr + 2, size);
}

// What one request is answered, from the I/O thread to the loop.
class reply final : public bridge::pending_result, public redis::call_sink {
public:
    reply(std::shared_ptr<redis::client> client, std::string single)
        : client_(std::move(client)), single_(std::move(single)) {}

    void ended(std::vector<redis::value> replies, const failure& why) noexcept override {
        replies_ = std::move(replies);
        failure_ = why;
    }

    void hand_over() noexcept override {
        pending_result* first = this;
        auto* last = first;
        for (auto* sink = next_ended; sink != nullptr; sink = static_cast<reply*>(sink)->next_ended) {
            last = last->next = static_cast<reply*>(sink);
        }
        last->next = nullptr;
        finish_chain(first);
    }

    PyObject* to_python() override {
        try {
            return convert().release().ptr();
        } catch (py::error_already_set& e) {
            e.restore();
        } catch (const failure_error& e) {
            raise({e.code(), e.what()});
        } catch (const std::exception& e) {
            PyErr_SetString(PyExc_RuntimeError, e.what());
        }
        return nullptr;
    }

private:
    static void raise(const failure& f) {
        auto* error = static_cast<PyObject*>(make_exception(f));
        PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
        Py_DECREF(error);
    }

    py::object convert() {
        if (failure_) {
            const auto where = client_->display();
            const bool said = failure_.message.find(where) != std::string::npos;
            throw failure_error({failure_.code, said ? failure_.message : where + ": " + failure_.message});
        }
        if (single_.empty()) {
            py::list all;
            for (const auto& v : replies_) all.append(redis_value(v));
            return all;
        }
        const auto& v = replies_.front();
        if (v.type == redis::value::kind::error) {
            throw failure_error(failure::of(errc::server_error, client_->display() + ": " + single_ + ": " + v.text));
        }
        return redis_value(v);
    }

    const std::shared_ptr<redis::client> client_;
    const std::string single_;  // the command's name; empty: several commands
    std::vector<redis::value> replies_;
    failure failure_;
};

}  // namespace

class redis_starter::burst final : public bridge::tick_end {
public:
    explicit burst(std::shared_ptr<redis_starter> owner) : owner_(std::move(owner)) {}
    void run() noexcept override {
        if (owner_->open_ == this) owner_->open_ = nullptr;
        const std::unique_ptr<burst> self(this);
        const py::gil_scoped_release nogil;
        owner_->native_->submit(std::move(requests));
    }
    std::vector<redis::request> requests;

private:
    const std::shared_ptr<redis_starter> owner_;
};

void redis_starter::add(const std::shared_ptr<redis_starter>& self, redis::request request) {
    PyObject* loop = bridge::running_loop();
    if (open_ == nullptr || open_in_ != loop) {
        auto fresh = std::make_unique<burst>(self);
        if (!bridge::at_tick_end(*fresh)) {
            // A plain thread, or a loop that takes no work: at once.
            PyErr_Clear();
            std::vector<redis::request> one;
            one.push_back(std::move(request));
            const py::gil_scoped_release nogil;
            return native_->submit(std::move(one));
        }
        open_ = fresh.release();
        open_in_ = loop;
    }
    open_->requests.push_back(std::move(request));
}

py::object redis_starter::start(const std::shared_ptr<redis_starter>& self, const py::sequence& command,
                                double timeout) {
    redis::request request;
    request.formatted = format_redis(command);
    request.deadline = monotonic_now() + to_ns(timeout);
    auto* r = new reply(native_, name_of(request.formatted));
    request.sink = r;
    auto future = py::reinterpret_steal<py::object>(bridge::make_future(r));
    if (!future) throw py::error_already_set();
    add(self, std::move(request));
    return future;
}

py::object redis_starter::start_many(const std::shared_ptr<redis_starter>& self,
                                     const std::vector<py::sequence>& commands, double timeout) {
    if (commands.empty()) throw failure_error(failure::of(errc::invalid_argument, "a pipeline needs a command"));
    redis::request request;
    for (const auto& command : commands) {
        const auto one = format_redis(command);
        request.sizes.push_back(one.size());
        request.formatted += one;
    }
    request.deadline = monotonic_now() + to_ns(timeout);
    auto* r = new reply(native_, {});
    request.sink = r;
    auto future = py::reinterpret_steal<py::object>(bridge::make_future(r));
    if (!future) throw py::error_already_set();
    add(self, std::move(request));
    return future;
}

}  // namespace headrace::bindings
