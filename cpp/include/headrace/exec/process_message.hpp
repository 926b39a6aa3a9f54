// What travels between a process pool and its workers, and how it lies on the wire. Pure: no descriptors are read here.
//
// A frame is a fixed header and `size` bytes: the body itself, or, with `in_slab`, where the body lies in shared memory
// (slab id, capacity, sizes of the parts). Both ends are one program on one machine; bytes lie as they do in memory.
// Threads:  plain values; a frame_reader has one owner.
// Errors:   a frame_reader that meets what is no frame stays `broken`: on a stream there is no way back.
#pragma once

#include <cstdint>
#include <headrace/exec/shared_slab.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::exec {

enum class frame_kind : std::uint8_t {
    // to the worker
    hello = 1,  ///< body: what it needs to set itself up. It answers ready, or not_ready and ends.
    function,   ///< `function`, body: keep this under that number
    forget,     ///< forget all functions
    call,       ///< `id`, `epoch`, `function` (0: within the body), body
    finish,     ///< tear down and end
    // from the worker
    ready,
    not_ready,  ///< body: why, as text
    value,      ///< `id`, body
    error,      ///< `id`, body: what was raised
};

struct frame_header {
    std::uint32_t magic = 0;
    frame_kind kind{};
    std::uint8_t in_slab = 0;
    std::uint8_t has_descriptor = 0;  ///< of that slab; travels with the frame
    std::uint8_t unused = 0;
    std::uint32_t epoch = 0;  ///< see claim_page
    std::uint32_t size = 0;   ///< bytes that follow
    std::uint64_t id = 0;
    std::uint64_t function = 0;

    static constexpr std::uint8_t borrowed = 2;  ///< of in_slab: the body lies in a slab of the receiver's own
    static constexpr std::uint32_t right_magic = 0x31585248;  // "HRX1"
};
static_assert(sizeof(frame_header) == 32);

/// The content of a message: `bytes`, or parts of a slab.
struct message_body {
    std::string bytes;
    std::shared_ptr<shared_slab> slab;  ///< null: all is in `bytes`
    std::vector<std::uint64_t> parts;   ///< sizes; see part_offsets()
    /// An answer that gives back, where they lie, bytes of the request: `bytes` and one part of the request's slab.
    bool borrowed = false;
    std::uint64_t borrowed_from = 0;  ///< the slab's id, as it was received
    std::uint64_t borrowed_offset = 0;

    /// Whoever received it is done with its slab.
    void give_back() const noexcept {
        if (slab != nullptr) borrowed ? slab->take_back() : slab->give_back();
    }
};

/// Appends header and bytes; of a body in a slab what tells where it lies.
void append_frame(std::string& out, frame_header header, const message_body& body);

/// Where a body lies, as it was sent.
struct slab_place {
    std::uint64_t id = 0;
    std::uint64_t capacity = 0;
    std::vector<std::uint64_t> parts;
};
/// False when the bytes say nothing of the kind, or parts that do not fit.
bool read_place(std::string_view bytes, slab_place& out);

/// The same of an answer that is borrowed; its slab is found by claim_borrowed().
bool read_borrowed(std::string_view bytes, message_body& out);
/// False when the body says that it lies in `own`, the slab of its request, and does not.
bool claim_borrowed(message_body& body, const std::shared_ptr<shared_slab>& own);

class frame_reader {
public:
    /// Room for at least `most` bytes, or for the rest of a frame that has begun; call commit() with what was put there.
    char* prepare(std::size_t& room);
    void commit(std::size_t n) noexcept { end_ += n; }

    enum class result : std::uint8_t { frame, more, broken };
    /// The view is good until the next call.
    result next(frame_header& header, std::string_view& bytes);

private:
    static constexpr std::size_t usual_room = 64 * 1024;
    static constexpr std::uint32_t most_bytes = 1U << 31U;
    std::size_t wanted() const noexcept;

    std::vector<char> buffer_;
    std::size_t begin_ = 0, end_ = 0;
    bool broken_ = false;
};

}  // namespace headrace::exec
