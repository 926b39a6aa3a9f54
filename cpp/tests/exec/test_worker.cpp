// A worker that does what its requests say: for the tests of the process pool.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <headrace/base/sleep.hpp>
#include <headrace/exec/process_worker.hpp>
#include <map>
#include <string>

using headrace::exec::frame_header;
using headrace::exec::frame_kind;
using headrace::exec::message_body;
using headrace::exec::process_worker;

namespace {

// Large answers come back the way that large requests went.
message_body answer_to(process_worker& worker, const message_body& request, const std::string& prefix) {
    if (!request.slab) return {prefix + request.bytes, nullptr, {}};
    message_body out;
    out.parts = request.parts;
    std::uint64_t total = 0;
    const auto offsets = headrace::exec::part_offsets(out.parts, total);
    out.slab = worker.slabs().take(total);
    for (std::size_t i = 0; i < offsets.size(); ++i)
        std::copy_n(request.slab->data() + offsets[i], out.parts[i], out.slab->data() + offsets[i]);
    out.slab->fill_all();
    request.slab->give_back();
    return out;
}

void obey(const std::string& order, int channel) {
    if (order == "exit") _exit(0);
    if (order == "crash") ::raise(SIGKILL);
    if (order == "hang") {
        for (;;) ::pause();
    }
    if (order == "stubborn") {
        ::signal(SIGTERM, SIG_IGN);
        for (;;) ::pause();
    }
    if (order == "garbage") {
        if (::write(channel, "hello\n", 6) != 6) ::abort();
        for (;;) ::pause();
    }
    if (order.starts_with("sleep "))
        headrace::sleep_until(headrace::monotonic_now() + std::chrono::milliseconds(std::stoi(order.substr(6))));
}

}  // namespace

int main(int, char** arguments) {
    const int channel = std::atoi(arguments[2]);
    const std::string role = arguments[1];
    const auto worker = process_worker::attach(channel, std::atoi(arguments[3]));
    if (!worker || role == "die") return 3;
    std::map<std::uint64_t, std::string> functions;
    frame_header header;
    message_body body;
    for (;;) {
        const auto event = worker->next(header, body, std::chrono::seconds{60});
        if (event == process_worker::event::gone) return 0;
        if (event == process_worker::event::nothing) continue;
        if (header.kind == frame_kind::hello && role == "refuse") {
            worker->answer(frame_kind::not_ready, 0, {"no such module", nullptr, {}});
            return 1;
        }
        if (header.kind == frame_kind::hello) worker->answer(frame_kind::ready, 0, {});
        if (header.kind == frame_kind::function) functions[header.function] = body.bytes;
        if (header.kind == frame_kind::forget) functions.clear();
        if (header.kind == frame_kind::finish) return 0;
        if (header.kind != frame_kind::call || !worker->claim(header)) continue;
        obey(body.bytes, channel);
        const std::string prefix = header.function == 0 ? "" : functions.at(header.function);
        const auto kind = body.bytes == "raise" ? frame_kind::error : frame_kind::value;
        worker->answer(kind, body.bytes == "lie" ? header.id + 1 : header.id, answer_to(*worker, body, prefix));
        while (!worker->written(std::chrono::seconds{1})) {
        }
        if (body.bytes == "lie") ::pause();
    }
}
