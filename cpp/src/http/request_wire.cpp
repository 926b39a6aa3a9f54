#include <cstring>
#include <headrace/http/request_wire.hpp>
#include <utility>

namespace headrace::http {
namespace {

void put(std::string& out, std::uint32_t n) {
    char bytes[sizeof n];
    std::memcpy(bytes, &n, sizeof n);
    out.append(bytes, sizeof n);
}

void put(std::string& out, std::string_view text) {
    put(out, static_cast<std::uint32_t>(text.size()));
    out.append(text);
}

class reader {
public:
    explicit reader(std::string_view bytes) : left_(bytes) {}

    bool number(std::uint32_t& out) noexcept {
        if (left_.size() < sizeof out) return false;
        std::memcpy(&out, left_.data(), sizeof out);
        left_.remove_prefix(sizeof out);
        return true;
    }
    bool text(std::string_view& out) noexcept {
        std::uint32_t n = 0;
        if (!number(n) || n > left_.size()) return false;
        out = left_.substr(0, n);
        left_.remove_prefix(n);
        return true;
    }
    /// How many items follow, of two texts each: never more than there are bytes for.
    bool count(std::uint32_t& out) noexcept { return number(out) && out <= left_.size() / (2 * sizeof out); }
    bool at_end() const noexcept { return left_.empty(); }

private:
    std::string_view left_;
};

}  // namespace

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
    reader in(bytes_);
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
    return in.at_end();
}

std::unique_ptr<unpacked_request> unpacked_request::unpack(std::string bytes, std::string body) {
    std::unique_ptr<unpacked_request> made(new unpacked_request(std::move(bytes), std::move(body)));
    return made->read() ? std::move(made) : nullptr;
}

}  // namespace headrace::http
