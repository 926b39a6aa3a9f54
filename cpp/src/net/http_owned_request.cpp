#include <algorithm>
#include <headrace/net/http_owned_request.hpp>
#include <utility>

namespace headrace::net::http {
namespace {

// What the views of a head span: they lie in one buffer, in the order in which they were sent.
std::string_view span_of(const request_head& head) noexcept {
    const char* const low = head.method.data();
    const auto end = [](std::string_view v) { return v.data() + v.size(); };
    const char* high = std::max(end(head.method), end(head.target));
    if (!head.fields.empty()) high = std::max(high, end(head.fields.back().value));
    return {low, static_cast<std::size_t>(high - low)};
}

}  // namespace

owned_request::owned_request(const request& q)
    : head_(q.head), body_(q.body), params_(q.params.begin(), q.params.end()) {
    const auto whole = span_of(q.head);
    bytes_.assign(whole);
    const auto moved = [&](std::string_view v) {
        const bool inside = !v.empty() && v.data() >= whole.data() && v.data() < whole.data() + whole.size();
        return inside ? std::string_view(bytes_).substr(static_cast<std::size_t>(v.data() - whole.data()), v.size())
                      : v;
    };
    fields_.reserve(q.head.fields.size());
    for (const auto& f : q.head.fields) fields_.push_back({moved(f.name), moved(f.value)});
    for (auto* view : {&head_.method, &head_.target, &head_.path, &head_.query, &head_.host}) *view = moved(*view);
    head_.fields = fields_;
}

}  // namespace headrace::net::http
