#include <array>
#include <headrace/http/route.hpp>

namespace headrace::http {
namespace {

struct metric {
    std::string_view name, kind, help;
    std::uint64_t (*value)(const route_counters&);
};

using counters = const route_counters&;
constexpr std::array<metric, 12> metrics{{
    {"requests_total", "counter", "Requests of the route.", [](counters c) { return c.requests; }},
    {"replied_total", "counter", "Answers of its handler.", [](counters c) { return c.replied; }},
    {"finished_total", "counter", "Runs of its handler that ended.", [](counters c) { return c.finished; }},
    {"failed_total", "counter", "Runs of its handler that raised.", [](counters c) { return c.failed; }},
    {"refused_total", "counter", "Requests answered 503.", [](counters c) { return c.refused; }},
    {"timed_out_total", "counter", "Requests answered 504.", [](counters c) { return c.timed_out; }},
    {"cancelled_total", "counter", "Requests whose client left first.", [](counters c) { return c.cancelled; }},
    {"lost_total", "counter", "Requests answered 502.", [](counters c) { return c.lost; }},
    {"detached_total", "counter", "Work accepted after its answer.", [](counters c) { return c.detached; }},
    {"detached_finished_total", "counter", "Of that, what ended.", [](counters c) { return c.detached_finished; }},
    {"waiting", "gauge", "Requests that wait.", [](counters c) -> std::uint64_t { return c.waiting; }},
    {"running", "gauge", "Requests that run.", [](counters c) -> std::uint64_t { return c.running; }},
}};

void append_label(std::string& out, std::string_view value) {
    for (const char c : value) {
        if (c == '"' || c == '\\') out.push_back('\\');
        out.push_back(c);
    }
}

}  // namespace

std::string prometheus_text(const std::vector<std::pair<std::string, route_counters>>& routes) {
    std::string out;
    for (const auto& m : metrics) {
        const auto name = "headrace_http_route_" + std::string(m.name);
        out.append("# HELP ").append(name).append(" ").append(m.help).append("\n# TYPE ").append(name).append(" ");
        out.append(m.kind).append("\n");
        for (const auto& [route, c] : routes) {
            out.append(name).append("{route=\"");
            append_label(out, route);
            out.append("\"} ").append(std::to_string(m.value(c))).append("\n");
        }
    }
    return out;
}

net::http::handler accepted_status(std::shared_ptr<accepted_table> table) {
    return [table = std::move(table)](const net::http::request& q, net::http::responder& r) {
        const std::string id(q.param("id"));
        work_state state{};
        if (!table->find(id, state)) return r.send(404, "text/plain; charset=utf-8", "no such work is known\n");
        r.send(200, "application/json", R"({"id":")" + id + R"(","state":")" + std::string(to_text(state)) + "\"}");
    };
}

}  // namespace headrace::http
