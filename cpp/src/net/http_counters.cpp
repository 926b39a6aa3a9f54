#include <headrace/net/http_counters.hpp>
#include <string_view>

namespace headrace::net::http {
namespace {

void put(std::string& out, std::string_view name, std::string_view kind, std::string_view help, std::uint64_t value) {
    out.append("# HELP headrace_http_").append(name).append(" ").append(help).append("\n# TYPE headrace_http_");
    out.append(name).append(" ").append(kind).append("\nheadrace_http_").append(name).append(" ");
    out.append(std::to_string(value)).append("\n");
}

}  // namespace

std::string prometheus_text(const server_stats& s) {
    std::string out;
    const auto total = [&](std::string_view name, std::string_view help, std::uint64_t value) {
        put(out, name, "counter", help, value);
    };
    put(out, "connections_open", "gauge", "Open connections.", s.connections_open);
    put(out, "websockets_open", "gauge", "Open WebSocket connections.", s.websockets_open);
    total("connections_accepted_total", "Accepted connections.", s.connections_accepted);
    total("connections_refused_total", "Connections over the limit.", s.connections_refused);
    total("connections_dropped_total", "Connections ended by the server.", s.connections_dropped);
    total("requests_total", "Requests with a complete head.", s.requests);
    total("bad_requests_total", "Requests that the parser refused.", s.bad_requests);
    total("cancelled_total", "Requests whose client left before the answer.", s.cancelled);
    total("timeouts_total", "Header, body, idle and write timeouts.", s.timeouts);
    total("received_bytes_total", "Bytes received.", s.bytes_in);
    total("sent_bytes_total", "Bytes sent.", s.bytes_out);
    total("writes_total", "System calls that wrote.", s.writes);
    total("access_log_dropped_total", "Access log lines that did not fit.", s.log_lines_dropped);
    out +=
        "# HELP headrace_http_responses_total Responses by class of status.\n"
        "# TYPE headrace_http_responses_total counter\n";
    for (std::size_t i = 1; i < s.responses.size(); ++i) {
        out += "headrace_http_responses_total{class=\"" + std::to_string(i) + "xx\"} " +
               std::to_string(s.responses[i]) + "\n";
    }
    return out;
}

}  // namespace headrace::net::http
