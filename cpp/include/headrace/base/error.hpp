// The one error vocabulary of the core. The core reports std::error_code and does not throw for what the outside world
// does; bindings turn a code into headrace's Python exception tree in one place (cpp/bindings/errors.cpp).
#pragma once

#include <string>
#include <system_error>

namespace headrace {

enum class errc {
    invalid_argument = 1,   ///< A setting or argument is outside its stated range.
    closed,                 ///< The object was closed or is shutting down; it takes no new work.
    queue_full,             ///< A bounded queue is full and its policy is `reject`.
    timed_out,              ///< The deadline passed. The operation was not sent.
    maybe_executed,         ///< The connection or the deadline ended after sending: it may have run, or may not.
    connection_failed,      ///< Not resolved, refused, unreachable, or lost and not regained in time.
    authentication_failed,  ///< The server refused the credentials.
    server_error,           ///< The server answered with an error; the text says which.
    protocol_error,         ///< The peer sent bytes that its protocol does not allow.
    not_found,              ///< A named file, topic or group does not exist.
    io_error,               ///< Reading or writing a file failed; the text says which and why.
    feature_not_built,      ///< This build lacks the library that the operation needs.
    cancelled,              ///< The caller or a shutdown gave it up.
    bad_result,             ///< A batch function broke its promise: another number of results, or none for a request.
    forked,                 ///< The handle belongs to the parent process; make a new one after fork.
    user_error,             ///< A function of the caller's failed; the text is what it said.
    dependency_failed,      ///< Not run, because something it depends on failed.
    worker_lost,            ///< The process that ran it ended, or none could be started; the text says why.
};

const std::error_category& error_category() noexcept;
std::error_code make_error_code(errc e) noexcept;

/// A code with what a person needs: what failed, where (url, topic, file), and what to do.
struct failure {
    std::error_code code;
    std::string message;

    explicit operator bool() const noexcept { return static_cast<bool>(code); }
    static failure of(errc e, std::string text) { return {make_error_code(e), std::move(text)}; }
};

}  // namespace headrace

template <>
struct std::is_error_code_enum<headrace::errc> : std::true_type {};
