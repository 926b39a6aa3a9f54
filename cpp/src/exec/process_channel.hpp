// One worker process as its pool sees it: the process, its channel, and what it has been told.
// Threads:  guarded by the pool's lock, except `in` (whoever set `reading`) and `wire` (whoever set `sending`).
// Lifetime: shared; the descriptors close with the last holder, so that nobody reads another's.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <headrace/base/clock.hpp>
#include <headrace/exec/claim_page.hpp>
#include <headrace/exec/frame_socket.hpp>
#include <headrace/exec/process_task.hpp>
#include <memory>
#include <unordered_set>

namespace headrace::exec {

struct process_channel {
    explicit process_channel(std::size_t slot_number) : slot(slot_number) {}
    ~process_channel() {
        if (fd >= 0) ::close(fd);
    }
    process_channel(const process_channel&) = delete;
    process_channel& operator=(const process_channel&) = delete;

    bool open() const noexcept { return !ended && !condemned; }

    void send(const process_task& t, std::uint64_t id) {
        constexpr std::size_t most_functions = 1000;
        if (t.function != nullptr && !functions.contains(t.function->id)) {
            if (functions.size() >= most_functions) {
                out.add({.kind = frame_kind::forget}, {});
                functions.clear();
            }
            functions.insert(t.function->id);
            out.add({.kind = frame_kind::function, .function = t.function->id}, t.function->body);
        }
        out.add({.kind = frame_kind::call,
                 .epoch = claims->epoch(),
                 .id = id,
                 .function = t.function != nullptr ? t.function->id : 0},
                t.request);
    }

    const std::size_t slot;
    pid_t pid = 0;
    int fd = -1;
    std::unique_ptr<claim_page> claims;
    frame_out out;   // what was decided
    frame_out wire;  // what is being written
    frame_in in;
    std::unordered_set<std::uint64_t> functions;
    bool sending = false;
    bool blocked = false;  // the socket is full
    bool reading = false;
    bool ended = false;      // it closed its end
    bool condemned = false;  // by us
    ns ended_at{0};
};

}  // namespace headrace::exec
