// One ASGI application on one event loop, and what its requests share: the loop's inbox, templates of scopes, names.
// Threads:  with the GIL, except handle() and the counters: any thread without it.
// Lifetime: counted; whoever lets go last without the GIL leaves it to the bridge.
// Errors:   what an application does wrong is given to `report`, a Python function (message, exception or None).
// Stop:     requests that come when the loop is gone are answered 503.
#pragma once

#include <headrace/net/http_server.hpp>
#include <memory>
#include <optional>

#include "../bridge/future.hpp"
#include "../http/loop_inbox.hpp"
#include "names.hpp"

namespace headrace::bindings::asgi {

class site final : public bridge::pending_result, public bridge::tick_end {
public:
    struct parts {
        PyObject* application;      // strong, as the following
        PyObject* http_scope;       // dict: what is the same in every scope
        PyObject* websocket_scope;  // dict
        PyObject* state;            // dict or None: each scope gets a shallow copy
        PyObject* report;
        PyObject* disconnected;  // the class of OSError
        std::string root_path;
        std::size_t limit_concurrency;  // 0: none
        std::size_t max_websocket_message;
    };
    site(std::shared_ptr<loop_inbox> inbox, parts given) noexcept;

    /// On an I/O thread.
    void handle(const net::http::request& q, net::http::responder& r);

    PyObject* to_python() override { return nullptr; }
    void run() noexcept override { burst_.reset(); }  // of tick_end
    int run(bool) override { return 0; }

    // With the GIL, on the loop's thread.
    /// What is answered from here to the end of the tick leaves together.
    void gather_answers();
    void report(const char* what, std::string_view method, std::string_view path);

    const std::shared_ptr<loop_inbox> inbox;
    const parts own;
    header_names headers;
    std::atomic<std::size_t> running{0};

private:
    template <class Cycle>
    void begin(Cycle& cycle);
    ~site() override;
    std::optional<net::http::answer_burst> burst_;
    int gathered_ = 0;
};

/// A counted reference.
class site_ref {
public:
    explicit site_ref(site& s) noexcept : site_(&s) { s.keep(); }
    site_ref(const site_ref& other) noexcept : site_(other.site_) { site_->keep(); }
    site_ref& operator=(const site_ref&) = delete;
    ~site_ref() { site_->release(); }
    site& operator*() const noexcept { return *site_; }
    site* operator->() const noexcept { return site_; }

private:
    site* const site_;
};

}  // namespace headrace::bindings::asgi
