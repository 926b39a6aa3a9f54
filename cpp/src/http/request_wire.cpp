#include <headrace/http/request_wire.hpp>
#include <utility>

#include "wire_text.hpp"

namespace headrace::http {
std::string pack(const net::http::request_head& head, std::span<const net::http::router::param> params,
                 std::string_view peer) {
    std::string out;
    out.reserve(512);
    put(out, head.minor_version);
    for (const auto text : {head.method, head.target, head.path, head.query, head.host, peer}) put(out, text);
    put(out, static_cast<std::uint32_t>(params.size()));
    for (const auto& p : params) {
        put(out, p.name);
        put(out, p.value);
    }
    put(out, static_cast<std::uint32_t>(head.fields.size()));
    for (const auto& f : head.fields) {
        put(out, f.name);
        put(out, f.value);
    }
    return out;
}

bool unpacked_request::read() {
    wire_reader in(bytes_);
    std::uint32_t n = 0;
    if (!in.number(head_.minor_version)) return false;
    for (auto* view : {&head_.method, &head_.target, &head_.path, &head_.query, &head_.host, &peer_}) {
        if (!in.text(*view)) return false;
    }
    if (!in.count(n)) return false;
    params_.reserve(n);
    for (; n != 0; --n) {
        std::string_view name, value;
        if (!in.text(name) || !in.text(value)) return false;
        params_.push_back({name, std::string(value)});
    }
    if (!in.count(n)) return false;
    fields_.reserve(n);
    for (; n != 0; --n) {
        net::http::field f;
        if (!in.text(f.name) || !in.text(f.value)) return false;
        fields_.push_back(f);
    }
    head_.fields = fields_;
    head_.known_method = net::http::to_verb(head_.method);
    head_.content_length = body_.size();
    return in.rest().empty();
}

std::unique_ptr<unpacked_request> unpacked_request::unpack(std::string bytes, std::string_view body) {
    std::unique_ptr<unpacked_request> made(new unpacked_request(std::move(bytes), body));
    return made->read() ? std::move(made) : nullptr;
}

}  // namespace headrace::http
