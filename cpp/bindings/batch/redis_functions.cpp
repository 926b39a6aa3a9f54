#include <pybind11/pybind11.h>

#include <headrace/redis/codec.hpp>

#include "../errors.hpp"
#include "core.hpp"
#include "native_functions.hpp"

namespace headrace::bindings {
namespace {

// A word of a command: bytes and str as they are, numbers as Python prints them, as headrace.redis does. It shows what the
// Python object holds, which does not change and which the request keeps.
class redis_word {
public:
    /// False with an error set.
    bool read(PyObject* argument) {
        if (PyBytes_Check(argument) != 0) {
            text_ = {PyBytes_AS_STRING(argument), static_cast<std::size_t>(PyBytes_GET_SIZE(argument))};
            return true;
        }
        if (PyUnicode_Check(argument) != 0) return read_text(argument);
        const bool is_number =
            PyBool_Check(argument) == 0 && (PyLong_Check(argument) != 0 || PyFloat_Check(argument) != 0);
        if (!is_number) {
            PyErr_Format(PyExc_TypeError, "a Redis argument must be bytes, str, int or float, not %s",
                         Py_TYPE(argument)->tp_name);
            return false;
        }
        PyObject* printed = PyObject_Repr(argument);
        const bool good = printed != nullptr && read_text(printed);
        if (good) number_ = std::make_unique<std::string>(text_);
        if (good) text_ = *number_;
        Py_XDECREF(printed);
        return good;
    }
    std::string_view view() const noexcept { return text_; }

private:
    bool read_text(PyObject* text) {
        Py_ssize_t size = 0;
        const char* bytes = PyUnicode_AsUTF8AndSize(text, &size);
        if (bytes != nullptr) text_ = {bytes, static_cast<std::size_t>(size)};
        return bytes != nullptr;
    }

    std::string_view text_;
    std::unique_ptr<std::string> number_;
};

// One key, or a key and a field, and the string that came back.
class redis_request final : public request {
public:
    redis_request(batch_core& core, PyObject* argument) : request(core, argument) {}
    redis_word key, field;
    redis::value reply;

    PyObject* native_result() override {
        if (reply.type == redis::value::kind::nil) return Py_NewRef(Py_None);
        return PyBytes_FromStringAndSize(reply.text.data(), static_cast<Py_ssize_t>(reply.text.size()));
    }
};

redis_request& request_at(std::span<batch::item* const> items, std::size_t i) {
    return static_cast<redis_request&>(*items[i]);
}

using items_of_batch = std::span<batch::item* const>;

/// Sends a batch where it is formed and completes it on the client's I/O thread.
class redis_function : public native_function {
public:
    redis_function(const char* name, std::shared_ptr<redis::client> client, ns timeout)
        : native_function(name), client_(std::move(client)), timeout_(timeout) {}
    bool is_async() const noexcept override { return true; }
    void run(items_of_batch) override {}
    void start(batch::batch_handle&& handle) override;

    /// Every item gets its value or its error.
    virtual void answer(items_of_batch items, std::vector<redis::value> replies) = 0;
    failure located(failure why) const {
        if (why.message.find(client_->display()) == std::string::npos)
            why.message = client_->display() + ": " + why.message;
        return why;
    }

protected:
    virtual redis::request format(items_of_batch items) const = 0;
    failure refused(const char* command, const std::string& said) const {
        return failure::of(errc::server_error, client_->display() + ": " + command + ": " + said);
    }

private:
    const std::shared_ptr<redis::client> client_;
    const ns timeout_;
};

// A batch that Redis has.
class sent_batch final : public redis::call_sink {
public:
    sent_batch(redis_function& function, batch::batch_handle&& handle) noexcept
        : function_(function), handle_(std::move(handle)) {}
    batch::batch_handle& handle() noexcept { return handle_; }

    void ended(std::vector<redis::value> replies, const failure& why) noexcept override {
        replies_ = std::move(replies);
        why_ = why;
    }
    void hand_over() noexcept override {
        for (redis::call_sink* sink = this; sink != nullptr;) {
            auto* one = static_cast<sent_batch*>(sink);
            sink = one->next_ended;
            one->finish();
            delete one;
        }
    }

private:
    void finish() noexcept {
        try {
            if (why_) throw failure_error(function_.located(why_));
            function_.answer(handle_.items(), std::move(replies_));
            handle_.complete();
        } catch (...) {
            handle_.fail(std::current_exception());
        }
    }

    redis_function& function_;  // the engine keeps it while a batch is under way
    batch::batch_handle handle_;
    std::vector<redis::value> replies_;
    failure why_;
};

void redis_function::start(batch::batch_handle&& handle) {
    auto request = format(handle.items());
    request.deadline = monotonic_now() + timeout_;
    request.sink = new sent_batch(*this, std::move(handle));
    std::vector<redis::request> requests;
    requests.push_back(std::move(request));
    client_->submit(std::move(requests));
}

class get_function final : public redis_function {
public:
    get_function(std::shared_ptr<redis::client> client, ns timeout)
        : redis_function("redis_get", std::move(client), timeout) {}

    request* make_request(batch_core& core, PyObject* argument) override {
        redis_word key;
        if (!key.read(argument)) return nullptr;
        auto* made = new redis_request(core, argument);
        made->key = std::move(key);
        return made;
    }

    redis::request format(items_of_batch items) const override {
        std::vector<std::string_view> words = {"MGET"};
        words.reserve(items.size() + 1);
        for (std::size_t i = 0; i < items.size(); ++i) words.push_back(request_at(items, i).key.view());
        return {.formatted = redis::format_command(words)};
    }

    void answer(items_of_batch items, std::vector<redis::value> replies) override {
        auto& reply = replies.front();
        if (reply.type == redis::value::kind::error) throw failure_error(refused("MGET", reply.text));
        if (reply.items.size() != items.size())
            throw failure_error(failure::of(errc::protocol_error, "MGET answered with another number of values"));
        for (std::size_t i = 0; i < items.size(); ++i) request_at(items, i).reply = std::move(reply.items[i]);
    }
};

class hget_function final : public redis_function {
public:
    hget_function(std::shared_ptr<redis::client> client, ns timeout)
        : redis_function("redis_hget", std::move(client), timeout) {}

    request* make_request(batch_core& core, PyObject* argument) override {
        if (PyTuple_Check(argument) == 0 || PyTuple_GET_SIZE(argument) != 2) {
            PyErr_Format(PyExc_TypeError, "HGET needs a tuple (key, field), not %R", argument);
            return nullptr;
        }
        redis_word key, field;
        if (!key.read(PyTuple_GET_ITEM(argument, 0)) || !field.read(PyTuple_GET_ITEM(argument, 1))) return nullptr;
        auto* made = new redis_request(core, argument);
        made->key = std::move(key);
        made->field = std::move(field);
        return made;
    }

    redis::request format(items_of_batch items) const override {
        redis::request r;
        for (std::size_t i = 0; i < items.size(); ++i) {
            const auto& wanted = request_at(items, i);
            const std::string_view words[] = {"HGET", wanted.key.view(), wanted.field.view()};
            const auto one = redis::format_command(words);
            r.sizes.push_back(one.size());
            r.formatted += one;
        }
        return r;
    }

    void answer(items_of_batch items, std::vector<redis::value> replies) override {
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (replies[i].type == redis::value::kind::error) {
                request_at(items, i).set_failure(refused("HGET", replies[i].text));
            } else {
                request_at(items, i).reply = std::move(replies[i]);
            }
        }
    }
};

}  // namespace

std::shared_ptr<native_function> make_redis_get(std::shared_ptr<redis::client> client, ns timeout) {
    return std::make_shared<get_function>(std::move(client), timeout);
}

std::shared_ptr<native_function> make_redis_hget(std::shared_ptr<redis::client> client, ns timeout) {
    return std::make_shared<hget_function>(std::move(client), timeout);
}

}  // namespace headrace::bindings
