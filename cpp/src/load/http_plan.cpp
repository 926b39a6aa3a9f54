#include <headrace/load/http_plan.hpp>
#include <headrace/net/http_message.hpp>
#include <headrace/net/url.hpp>

namespace headrace::load {
namespace {

namespace http = net::http;

failure bad(const std::string& why) {
    return failure::of(errc::invalid_argument, "load: " + why);
}

std::string base64(std::string_view in) {
    static constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < in.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            group = group << 8 | (i + k < in.size() ? static_cast<unsigned char>(in[i + k]) : 0U);
        }
        const std::size_t digits = std::min<std::size_t>(in.size() - i, 3) + 1;
        for (std::size_t k = 0; k < 4; ++k) out += k < digits ? letters[group >> (18 - 6 * k) & 63] : '=';
    }
    return out;
}

// Path and query as they were written. What may not stand in a request line is percent-encoded, as browsers do.
std::string target_of(std::string_view url) {
    static constexpr std::string_view hex = "0123456789ABCDEF";
    const auto authority = url.find("://") + 3;
    const auto begin = url.find_first_of("/?", authority);
    if (begin == std::string_view::npos) return "/";
    std::string out = url[begin] == '?' ? "/" : "";
    for (const char c : url.substr(begin)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte > 0x20 && byte < 0x7f && c != '"' && c != '<' && c != '>') {
            out += c;
        } else {
            out += {'%', hex[byte >> 4], hex[byte & 15]};
        }
    }
    return out;
}

std::string host_field(const http_origin& o) {
    const bool v6 = o.host.find(':') != std::string::npos;
    std::string out = v6 ? "[" + o.host + "]" : o.host;
    if (o.port != (o.tls ? 443 : 80)) out += ":" + std::to_string(o.port);
    return out;
}

// Neither blanks nor control characters: the host goes into a field of every request.
bool is_host_text(std::string_view host) {
    for (const char c : host) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= 0x20 || byte >= 0x7f || c == '/' || c == '\\') return false;
    }
    return true;
}

failure parse_origin(const std::string& text, net::url& url, http_origin& origin) {
    if (auto wrong = net::parse_url(text, url)) return wrong;
    if (url.scheme != "http" && url.scheme != "https") {
        return bad("'" + url.display() + "' is not http:// or https://");
    }
    if (url.host.empty()) return bad("'" + url.display() + "' names no host");
    if (!is_host_text(url.host)) return bad("bad host in '" + url.display() + "'");
    origin.host = url.host;
    origin.tls = url.scheme == "https";
    origin.port = url.port != 0 ? url.port : static_cast<std::uint16_t>(origin.tls ? 443 : 80);
    return {};
}

// Fields that say how the message is framed or the connection used are ours.
bool is_ours(std::string_view name) {
    for (const auto* ours :
         {"content-length", "transfer-encoding", "connection", "upgrade", "expect", "te", "trailer"}) {
        if (http::equal_ignoring_case(name, ours)) return true;
    }
    return false;
}

failure check_headers(const http_load_options& o) {
    for (const auto& [name, value] : o.headers) {
        if (!http::is_token(name)) return bad("'" + name + "' is not a header name; write 'Name: value'");
        if (!http::is_field_value(value)) return bad("the value of header '" + name + "' has a control character");
        if (is_ours(name)) return bad("header '" + name + "' is written by the generator itself");
    }
    return {};
}

bool given(const http_load_options& o, std::string_view name) {
    for (const auto& header : o.headers) {
        if (http::equal_ignoring_case(header.first, name)) return true;
    }
    return false;
}

std::string write_request(const http_load_options& o, const http_request_options& r, const net::url& url,
                          const http_origin& origin) {
    std::string out = r.method + " " + target_of(r.url) + " HTTP/1.1\r\n";
    const auto field = [&](std::string_view name, std::string_view value) {
        out.append(name).append(": ").append(value).append("\r\n");
    };
    const auto unless_given = [&](std::string_view name, std::string_view value) {
        if (!given(o, name)) field(name, value);
    };
    unless_given("Host", host_field(origin));
    unless_given("User-Agent", "headrace");
    unless_given("Accept", "*/*");
    if (!url.user.empty()) unless_given("Authorization", "Basic " + base64(url.user + ":" + url.password));
    for (const auto& [name, value] : o.headers) field(name, value);
    if (!o.keep_alive) field("Connection", "close");
    const auto verb = http::to_verb(r.method);
    const bool means_content = verb == http::verb::post || verb == http::verb::put || verb == http::verb::patch;
    if (means_content || !r.body.empty()) field("Content-Length", std::to_string(r.body.size()));
    out += "\r\n";
    return out + r.body;
}

// RFC 9110, section 9.2.2.
bool is_idempotent(http::verb v) {
    return v != http::verb::post && v != http::verb::patch && v != http::verb::other;
}

}  // namespace

std::string http_origin::display() const {
    const bool v6 = host.find(':') != std::string::npos;
    return std::string(tls ? "https://" : "http://") + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

failure make_plan(const http_load_options& options, http_plan& plan) {
    plan = {};
    if (auto wrong = check_headers(options)) return wrong;
    for (const auto& r : options.requests) {
        net::url url;
        http_origin origin;
        if (auto wrong = parse_origin(r.url, url, origin)) return wrong;
        const auto verb = http::to_verb(r.method);
        if (!http::is_token(r.method) || verb == http::verb::connect) return bad("bad method '" + r.method + "'");
        const auto same = [&](const http_origin& o) {
            return o.host == origin.host && o.port == origin.port && o.tls == origin.tls;
        };
        std::size_t index = 0;
        while (index < plan.origins.size() && !same(plan.origins[index])) ++index;
        if (index == plan.origins.size()) plan.origins.push_back(origin);
        auto bytes = write_request(options, r, url, origin);
        url.user.clear();
        plan.requests.push_back(
            {std::move(bytes), index, verb == http::verb::head, is_idempotent(verb), url.display()});
    }
    return {};
}

}  // namespace headrace::load
