#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <headrace/http/native_routes.hpp>
#include <utility>

#include "later_thread.hpp"

namespace headrace::http {
namespace {

using net::http::request;
using net::http::responder;
using net::http::response;

constexpr std::string_view plain = "text/plain; charset=utf-8";
constexpr std::string_view json_type = "application/json";
constexpr std::uint64_t max_later_ms = 60'000;
constexpr std::uint64_t max_stream_bytes = 1ULL << 40U;
constexpr std::size_t stream_piece = 64 * 1024;

void hello(const request&, responder& r) {
    r.send(200, plain, "Hello, World!");
}

void echo(const request& q, responder& r) {
    const auto type = q.head.get("content-type");
    r.send(200, type.empty() ? "application/octet-stream" : type, q.body);
}

void json(const request& q, responder& r) {
    boost::json::error_code ec;
    const auto value = boost::json::parse(q.body, ec);
    if (ec) return r.send(400, plain, "the content is not JSON: " + ec.message() + "\n");
    r.send(200, json_type, boost::json::serialize(value));
}

void count(const request& q, responder& r) {
    r.send(200, json_type, "{\"bytes\": " + std::to_string(q.body.size()) + "}");
}

// A path parameter as a number of at most `most`; answers 400 itself.
bool number(const request& q, responder& r, std::string_view name, std::uint64_t most, std::uint64_t& out) {
    const auto text = q.param(name);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error == std::errc{} && end == text.data() + text.size() && out <= most) return true;
    r.send(400, plain, "{" + std::string(name) + "} is a number of at most " + std::to_string(most) + "\n");
    return false;
}

net::http::handler later() {
    return [worker = std::make_shared<later_thread>()](const request& q, responder& r) {
        std::uint64_t ms = 0;
        if (!number(q, r, "ms", max_later_ms, ms)) return;
        worker->add(monotonic_now() + std::chrono::milliseconds(ms), r.defer());
    };
}

// Writes until there is no room, and goes on when there is. The copies of its shared_ptr in on_writable() keep it.
class streamer : public std::enable_shared_from_this<streamer> {
public:
    streamer(net::http::body_stream out, std::uint64_t bytes) : out_(std::move(out)), left_(bytes) {}

    void go_on() {
        using result = net::http::body_stream::result;
        while (left_ != 0) {
            const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, stream_piece));
            const auto taken = out_.write(std::string(n, 'x'));
            if (taken == result::gone) return;
            if (taken == result::full) return out_.on_writable([self = shared_from_this()] { self->go_on(); });
            left_ -= n;
        }
        out_.finish();
    }

private:
    net::http::body_stream out_;
    std::uint64_t left_;
};

void stream(const request& q, responder& r) {
    std::uint64_t bytes = 0;
    if (!number(q, r, "bytes", max_stream_bytes, bytes)) return;
    auto later = r.defer();
    std::make_shared<streamer>(later.stream({200, "application/octet-stream", {}, {}}), bytes)->go_on();
}

class echo_listener final : public net::websocket::listener {
public:
    void on_open(const std::shared_ptr<net::websocket::connection>&) override {}
    void on_message(net::websocket::connection& peer, net::websocket::opcode code, std::string_view payload) override {
        peer.send(code, payload);
    }
    void on_close(net::websocket::connection&, std::uint16_t, std::string_view) override {}
};

void websocket(const request&, responder& r) {
    constexpr std::size_t most = 32 * 1024 * 1024;  // conformance suites send 16 MiB
    static const auto events = std::make_shared<echo_listener>();
    r.accept_websocket(events, {.max_message = most, .max_buffered = 2 * most});
}

net::http::handler metrics(const std::weak_ptr<net::http::server>& server) {
    return [server](const request&, responder& r) {
        const auto s = server.lock();
        r.send(200, "text/plain; version=0.0.4; charset=utf-8", s ? prometheus_text(s->stats()) : std::string());
    };
}

}  // namespace

failure add_native_route(const std::shared_ptr<net::http::server>& server, std::string_view method,
                         std::string_view pattern, std::string_view name) {
    using maker = net::http::handler (*)(const std::shared_ptr<net::http::server>&);
    constexpr std::array<std::pair<std::string_view, maker>, 8> table{{
        {"hello", [](const auto&) { return net::http::handler(hello); }},
        {"echo", [](const auto&) { return net::http::handler(echo); }},
        {"json", [](const auto&) { return net::http::handler(json); }},
        {"count", [](const auto&) { return net::http::handler(count); }},
        {"later", [](const auto&) { return later(); }},
        {"stream", [](const auto&) { return net::http::handler(stream); }},
        {"websocket", [](const auto&) { return net::http::handler(websocket); }},
        {"metrics", [](const auto& s) { return metrics(s); }},
    }};
    std::string known;
    for (const auto& [key, make] : table) {
        if (key == name) return server->route(method, pattern, make(server));
        known.append(known.empty() ? "" : ", ").append(key);
    }
    return failure::of(errc::invalid_argument, "unknown native route '" + std::string(name) + "'; there are " + known);
}

}  // namespace headrace::http
