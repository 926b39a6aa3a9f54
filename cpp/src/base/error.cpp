#include <headrace/base/error.hpp>

namespace headrace {
namespace {

struct category final : std::error_category {
    const char* name() const noexcept override { return "headrace"; }
    std::string message(int value) const override {
        switch (static_cast<errc>(value)) {
            case errc::invalid_argument: return "invalid argument";
            case errc::closed: return "closed";
            case errc::queue_full: return "queue full";
            case errc::timed_out: return "deadline passed before it was sent";
            case errc::maybe_executed: return "no answer: it may have been executed";
            case errc::connection_failed: return "connection failed";
            case errc::authentication_failed: return "authentication failed";
            case errc::server_error: return "the server answered with an error";
            case errc::protocol_error: return "protocol violation by the peer";
            case errc::not_found: return "not found";
            case errc::io_error: return "input or output failed";
            case errc::feature_not_built: return "feature not built";
            case errc::cancelled: return "cancelled";
            case errc::bad_result: return "no result from the batch function";
            case errc::forked: return "used after fork";
            case errc::user_error: return "a function of the caller failed";
            case errc::dependency_failed: return "a dependency failed";
            case errc::worker_lost: return "worker process lost";
        }
        return "unknown error";
    }
};

}  // namespace

const std::error_category& error_category() noexcept {
    static const category instance;
    return instance;
}

std::error_code make_error_code(errc e) noexcept {
    return {static_cast<int>(e), error_category()};
}

}  // namespace headrace
