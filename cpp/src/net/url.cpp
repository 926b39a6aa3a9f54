#include <algorithm>
#include <cctype>
#include <charconv>
#include <headrace/net/url.hpp>

namespace headrace::net {
namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool percent_decode(std::string_view in, std::string& out) {
    out.clear();
    for (std::size_t i = 0; i < in.size(); ++i) {
        if (in[i] != '%') {
            out.push_back(in[i]);
            continue;
        }
        if (i + 2 >= in.size()) return false;
        const int high = hex_digit(in[i + 1]);
        const int low = hex_digit(in[i + 2]);
        if (high < 0 || low < 0) return false;
        out.push_back(static_cast<char>(high * 16 + low));
        i += 2;
    }
    return true;
}

// "user:secret@" must not reach a message even when the rest cannot be parsed.
std::string without_password(std::string_view text) {
    const auto scheme_end = text.find("://");
    const auto at = text.rfind('@');
    if (at == std::string_view::npos || scheme_end == std::string_view::npos || at < scheme_end) {
        return std::string(text);
    }
    return std::string(text.substr(0, scheme_end + 3)) + "***" + std::string(text.substr(at));
}

failure bad(std::string_view text, std::string_view why) {
    return failure::of(errc::invalid_argument,
                       "bad url '" + without_password(text) + "': " + std::string(why) +
                           ". Expected scheme://[user:password@]host[:port][/path][?key=value]");
}

bool parse_port(std::string_view text, std::uint16_t& port) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return error == std::errc{} && end == text.data() + text.size() && port != 0;
}

bool parse_query(std::string_view text, std::map<std::string, std::string>& query) {
    while (!text.empty()) {
        const auto amp = text.find('&');
        const auto pair = text.substr(0, amp);
        text.remove_prefix(amp == std::string_view::npos ? text.size() : amp + 1);
        if (pair.empty()) continue;
        const auto equals = pair.find('=');
        std::string key, value;
        if (!percent_decode(pair.substr(0, equals), key)) return false;
        if (equals != std::string_view::npos && !percent_decode(pair.substr(equals + 1), value)) return false;
        query[key] = value;
    }
    return true;
}

bool parse_user_info(std::string_view text, url& out) {
    const auto colon = text.find(':');
    if (!percent_decode(text.substr(0, colon), out.user)) return false;
    return colon == std::string_view::npos || percent_decode(text.substr(colon + 1), out.password);
}

// host, host:port, [v6], [v6]:port
const char* parse_host_port(std::string_view text, url& out) {
    std::string_view host = text;
    std::string_view port;
    bool has_port = false;
    if (!text.empty() && text.front() == '[') {
        const auto close = text.find(']');
        if (close == std::string_view::npos) return "the IPv6 address has no closing bracket";
        host = text.substr(1, close - 1);
        const auto rest = text.substr(close + 1);
        if (!rest.empty() && rest.front() != ':') return "unexpected text after the IPv6 address";
        has_port = !rest.empty();
        if (has_port) port = rest.substr(1);
    } else if (const auto colon = text.rfind(':'); colon != std::string_view::npos) {
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
        has_port = true;
    }
    if (has_port && !parse_port(port, out.port)) return "the port must be a number from 1 to 65535";
    if (!percent_decode(host, out.host)) return "bad percent-encoding in the host";
    return nullptr;
}

}  // namespace

// A letter, then letters, digits, '+', '-' and '.' (RFC 3986, section 3.1).
static bool is_scheme(std::string_view text) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    const auto rest = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'; };
    return !text.empty() && letter(text.front()) && std::all_of(text.begin(), text.end(), rest);
}

failure parse_url(std::string_view text, url& out) {
    out = {};
    const auto scheme_end = text.find("://");
    if (scheme_end == std::string_view::npos || !is_scheme(text.substr(0, scheme_end))) {
        return bad(text, "it has no scheme");
    }
    out.scheme = std::string(text.substr(0, scheme_end));
    std::transform(out.scheme.begin(), out.scheme.end(), out.scheme.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });

    auto rest = text.substr(scheme_end + 3);
    if (const auto hash = rest.find('#'); hash != std::string_view::npos) return bad(text, "a '#' must be written %23");
    if (const auto mark = rest.find('?'); mark != std::string_view::npos) {
        if (!parse_query(rest.substr(mark + 1), out.query)) return bad(text, "bad percent-encoding in the query");
        rest = rest.substr(0, mark);
    }
    if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
        if (!percent_decode(rest.substr(slash), out.path)) return bad(text, "bad percent-encoding in the path");
        rest = rest.substr(0, slash);
    }
    if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
        if (!parse_user_info(rest.substr(0, at), out)) return bad(text, "bad percent-encoding in the user or password");
        rest = rest.substr(at + 1);
    }
    if (const char* why = parse_host_port(rest, out)) return bad(text, why);
    return {};
}

std::string url::display() const {
    std::string shown = scheme + "://";
    if (!user.empty()) shown += user + "@";
    const bool v6 = host.find(':') != std::string::npos;
    shown += v6 ? "[" + host + "]" : host;
    if (port != 0) shown += ":" + std::to_string(port);
    return shown + path;
}

}  // namespace headrace::net
