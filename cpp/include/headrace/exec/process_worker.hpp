// The other end of a process pool: what a worker program does with the two descriptors that it is started with.
//
//   auto worker = process_worker::attach(channel, claims);
//   while (worker->next(header, body, timeout) == process_worker::event::frame) ...
//
// It gets `hello` first and answers `ready` (or `not_ready` and ends), then functions and calls; each call that claim()
// grants is answered once, in order, with its id. After `finish`, and when the pool is gone, it ends.
// Threads:  one.
// Lifetime: owns the descriptors. The process is killed when the thread that started it ends.
// Errors:   null from attach() for what are no descriptors of ours.
#pragma once

#include <headrace/base/clock.hpp>
#include <headrace/exec/claim_page.hpp>
#include <headrace/exec/frame_socket.hpp>
#include <headrace/exec/shared_slab.hpp>
#include <memory>

namespace headrace::exec {

class process_worker {
public:
    static std::unique_ptr<process_worker> attach(int channel, int claims);
    ~process_worker();
    process_worker(const process_worker&) = delete;
    process_worker& operator=(const process_worker&) = delete;

    enum class event : std::uint8_t {
        frame,
        nothing,  ///< within `timeout`, or a signal came
        gone,     ///< the pool, or what it said was no message
    };
    event next(frame_header& header, message_body& body, ns timeout);
    /// False: the call was taken back; it must not be answered.
    bool claim(const frame_header& call) noexcept { return claims_->claim(call.epoch); }
    /// Queues an answer and writes what the socket takes.
    void answer(frame_kind kind, std::uint64_t id, const message_body& body);
    /// True once all answers are written, or the pool is gone; false after `timeout`, or when a signal came.
    bool written(ns timeout);
    /// For answers that are large.
    slab_cache& slabs() noexcept { return slabs_; }

private:
    process_worker(int fd, std::unique_ptr<claim_page> claims) : fd_(fd), claims_(std::move(claims)) {}
    bool ready(short events, ns timeout) const;

    const int fd_;
    std::unique_ptr<claim_page> claims_;
    frame_in in_;
    frame_out out_, wire_;
    slab_cache slabs_;
    bool gone_ = false;
};

}  // namespace headrace::exec
