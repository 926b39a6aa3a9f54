#include <algorithm>
#include <headrace/net/http_message.hpp>
#include <headrace/net/http_router.hpp>

#include "http_chars.hpp"

namespace headrace::net::http {
namespace {

bool decode(std::string_view in, std::string& out) {
    out.clear();
    for (std::size_t i = 0; i < in.size(); ++i) {
        if (in[i] != '%') {
            out.push_back(in[i]);
            continue;
        }
        if (i + 2 >= in.size()) return false;
        const int high = chars::hex_value(in[i + 1]);
        const int low = chars::hex_value(in[i + 2]);
        if (high < 0 || low < 0) return false;
        out.push_back(static_cast<char>(high * 16 + low));
        i += 2;
    }
    return true;
}

const std::size_t* pick(const std::vector<std::pair<std::string, std::size_t>>& routes,
                        std::string_view method) noexcept {
    for (const auto& [name, route] : routes) {
        if (name == method) return &route;
    }
    return nullptr;
}

failure bad(std::string_view pattern, const std::string& why) {
    return failure::of(errc::invalid_argument, "route '" + std::string(pattern) + "': " + why);
}

// "{id}" -> id, "{path...}" -> path and rest.
bool read_name(std::string_view segment, std::string& name, bool& rest) {
    if (segment.size() < 3 || segment.front() != '{' || segment.back() != '}') return false;
    segment = segment.substr(1, segment.size() - 2);
    rest = segment.ends_with("...");
    if (rest) segment.remove_suffix(3);
    name = segment;
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return chars::is_alnum(static_cast<unsigned char>(c)) || c == '_';
    });
}

}  // namespace

struct router::walk {
    std::vector<std::string> values;
    bool bad_encoding = false;
};

failure router::add(std::string_view method, std::string_view pattern, std::size_t route) {
    if (!is_token(method)) return bad(pattern, "the method '" + std::string(method) + "' is not a token");
    if (pattern.empty() || pattern.front() != '/') return bad(pattern, "a pattern starts with '/'");
    node* at = &root_;
    std::vector<std::string> names;
    bool parameters = false;
    for (auto left = pattern.substr(1);;) {
        const auto slash = left.find('/');
        const auto segment = left.substr(0, slash);
        std::string name;
        bool rest = false;
        if (segment.find_first_of("{}") == std::string_view::npos) {
            auto& child = at->literal[std::string(segment)];
            if (!child) child = std::make_unique<node>();
            at = child.get();
        } else if (read_name(segment, name, rest)) {
            if (rest && slash != std::string_view::npos) return bad(pattern, "{name...} must be its end");
            if (std::find(names.begin(), names.end(), name) != names.end())
                return bad(pattern, "two parameters " + name);
            auto& child = rest ? at->rest : at->one;
            if (!child) child = std::make_unique<node>();
            at = child.get();
            names.push_back(name);
            parameters = true;
        } else {
            return bad(pattern, "a segment is literal, {name} or {name...}");
        }
        if (slash == std::string_view::npos) break;
        left.remove_prefix(slash + 1);
    }
    if (pick(at->routes, method) != nullptr) return bad(pattern, std::string(method) + " is already routed");
    if (!at->routes.empty() && at->names != names) return bad(pattern, "another method names its parameters otherwise");
    at->names = std::move(names);
    at->routes.emplace_back(method, route);
    if (!parameters) exact_[std::string(pattern)] = at;
    return {};
}

// Depth first: literal, then {name}, then {name...}; `path` has no leading slash. A pattern has few segments.
const router::node* router::descend(const node& at, std::string_view path, walk& found) {
    const auto slash = path.find('/');
    const auto segment = path.substr(0, slash);
    std::string text;
    if (!decode(segment, text)) {
        found.bad_encoding = true;
        return nullptr;
    }
    const auto below = [&](const node& child) -> const node* {
        if (slash == std::string_view::npos) return child.routes.empty() ? nullptr : &child;
        return descend(child, path.substr(slash + 1), found);
    };
    const auto literal = at.literal.find(text);
    if (literal != at.literal.end()) {
        if (const auto* end = below(*literal->second)) return end;
    }
    const auto depth = found.values.size();
    if (at.one && !text.empty()) {
        found.values.push_back(text);
        if (const auto* end = below(*at.one)) return end;
        found.values.resize(depth);
    }
    if (at.rest && !found.bad_encoding && decode(path, text)) {
        found.values.push_back(std::move(text));
        return at.rest.get();
    }
    return nullptr;
}

void router::find(std::string_view method, std::string_view path, match& out) const {
    out.params.clear();
    const node* end = nullptr;
    const auto exact = exact_.find(path);
    if (exact != exact_.end()) {
        end = exact->second;
    } else if (!path.empty() && path.front() == '/') {
        walk found;
        end = descend(root_, path.substr(1), found);
        if (end == nullptr && found.bad_encoding) {
            out.what = outcome::bad_encoding;
            return;
        }
        for (std::size_t i = 0; end != nullptr && i < end->names.size(); ++i) {
            out.params.push_back({end->names[i], std::move(found.values[i])});
        }
    }
    if (end == nullptr) {
        out.what = outcome::no_path;
        return;
    }
    const auto* route = pick(end->routes, method);
    if (route == nullptr && method == "HEAD") route = pick(end->routes, "GET");
    if (route != nullptr) {
        out.what = outcome::found;
        out.route = *route;
        return;
    }
    out.what = outcome::no_method;
    out.allow = "OPTIONS";
    for (const auto& [name, number] : end->routes) {
        if (name == "OPTIONS") continue;
        out.allow += ", " + name;
        if (name == "GET" && pick(end->routes, "HEAD") == nullptr) out.allow += ", HEAD";
    }
}

}  // namespace headrace::net::http
