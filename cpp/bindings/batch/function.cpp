#include "function.hpp"

#include "../errors.hpp"

namespace headrace::bindings {

void request_function::fail(batch::item& it, const std::exception_ptr& why) noexcept {
    auto& r = static_cast<request&>(it);
    if (r.has_outcome()) return;
    try {
        std::rethrow_exception(why);
    } catch (const failure_error& e) {
        r.set_failure({e.code(), e.what()});
    } catch (const std::exception& e) {
        r.set_failure(failure::of(errc::cancelled, std::string("the batch ended without a result: ") + e.what()));
    } catch (...) {
        r.set_failure(failure::of(errc::cancelled, "the batch ended without a result"));
    }
}

void request_function::share(const batch::item& from, batch::item& to) {
    static_cast<request&>(to).share(const_cast<request&>(static_cast<const request&>(from)));
}

void fail_all(std::span<batch::item* const> items, const failure& why) {
    for (auto* it : items) {
        auto& r = static_cast<request&>(*it);
        if (!r.has_outcome()) r.set_failure(why);
    }
}

}  // namespace headrace::bindings
