// Large payloads between two processes: nameless shared memory (memfd) that the sender keeps and uses again.
//
// A slab is one header page and room for the parts of one message. It is in use from take() until the sender has filled it
// and the receiver has given it back, which it does when the last view of the parts has gone. A large message is sent while
// it is still being filled: `filled` says how far one may read, so that both ends copy at the same time. The file descriptor
// travels once per receiver; the kernel frees the memory with the last process.
// Threads:  slab and its header from any thread; cache and table one at a time.
// Lifetime: shared_ptr; the mapping goes with the last one, in each process by itself.
// Errors:   null when the system gives no memory or the descriptor is not what was announced (errno).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace headrace::exec {

class shared_slab {
public:
    static constexpr std::size_t header_size = 4096;
    static constexpr std::size_t part_alignment = 64;

    /// A new one, owned by the sender, with room for `capacity` bytes of parts.
    static std::shared_ptr<shared_slab> make(std::uint64_t capacity);
    /// The receiver's end of another process's slab. Takes the descriptor over.
    static std::shared_ptr<shared_slab> attach(int fd, std::uint64_t id, std::uint64_t capacity);
    ~shared_slab();
    shared_slab(const shared_slab&) = delete;
    shared_slab& operator=(const shared_slab&) = delete;

    std::uint64_t id() const noexcept { return id_; }  ///< of the sending process; never used twice
    std::uint64_t capacity() const noexcept { return capacity_; }
    int fd() const noexcept { return fd_; }
    char* data() const noexcept { return base_ + header_size; }

    bool busy() const noexcept { return header().users.load(std::memory_order_acquire) != 0; }
    void take() noexcept {
        header().filled.store(0, std::memory_order_relaxed);
        header().users.store(sender | receiver, std::memory_order_relaxed);
    }
    void give_back() noexcept { header().users.fetch_and(~receiver, std::memory_order_release); }
    /// The receiver answers with what it got: the sender reads it here, and then takes it back.
    void lend() noexcept { header().users.fetch_or(lent, std::memory_order_relaxed); }
    void take_back() noexcept { header().users.fetch_and(~lent, std::memory_order_release); }

    /// Bytes of data() that may be read; at first none.
    std::uint64_t filled() const noexcept { return header().filled.load(std::memory_order_acquire); }
    void fill_to(std::uint64_t bytes) noexcept { header().filled.store(bytes, std::memory_order_release); }
    /// All is there; the sender is done with it.
    void fill_all() noexcept {
        fill_to(UINT64_MAX);
        header().users.fetch_and(~sender, std::memory_order_release);
    }
    /// Waits, mostly by looking, until `bytes` may be read. False when the sender makes no headway for 10 s: it is dead.
    bool wait_filled(std::uint64_t bytes) const noexcept;

    /// The sender will not use it again, because its receiver may be dead or it has others: both forget it.
    bool retired() const noexcept { return header().retired.load(std::memory_order_relaxed) != 0; }
    void retire() noexcept { header().retired.store(1, std::memory_order_relaxed); }

private:
    static constexpr std::uint32_t sender = 1, receiver = 2, lent = 4;
    struct shared_header {
        std::atomic<std::uint32_t> users;
        std::atomic<std::uint32_t> retired;
        alignas(64) std::atomic<std::uint64_t> filled;
    };
    static_assert(std::atomic<std::uint32_t>::is_always_lock_free && std::atomic<std::uint64_t>::is_always_lock_free);
    shared_slab(int fd, char* base, std::uint64_t id, std::uint64_t capacity) noexcept
        : fd_(fd), base_(base), id_(id), capacity_(capacity) {}
    static std::shared_ptr<shared_slab> map(int fd, std::uint64_t id, std::uint64_t capacity);
    shared_header& header() const noexcept { return *reinterpret_cast<shared_header*>(base_); }

    int fd_;
    char* const base_;
    const std::uint64_t id_;
    const std::uint64_t capacity_;
};

/// Room that a part takes: its size, and a gap in which the receiver may put what it needs before and behind the bytes.
constexpr std::uint64_t part_room(std::uint64_t size) noexcept {
    constexpr std::uint64_t unit = shared_slab::part_alignment;
    return (size + unit - 1) / unit * unit + unit;
}

/// Where the parts of a message begin, and how much room they need together.
std::vector<std::uint64_t> part_offsets(std::span<const std::uint64_t> sizes, std::uint64_t& total);

/// The sender's slabs. Full of busy ones it lets go of the oldest and makes another: receivers keep what they look at.
class slab_cache {
public:
    static constexpr std::size_t most = 8;
    static constexpr std::uint64_t most_bytes = 256ULL << 20U;  ///< larger ones are used once
    /// One that nobody uses, taken. Null: no memory.
    std::shared_ptr<shared_slab> take(std::uint64_t size);

private:
    void keep(std::shared_ptr<shared_slab> slab);
    std::vector<std::shared_ptr<shared_slab>> slabs_;  // oldest first
    std::uint64_t bytes_ = 0;
};

/// The receiver's: found by id.
class slab_table {
public:
    void add(std::shared_ptr<shared_slab> slab);
    std::shared_ptr<shared_slab> find(std::uint64_t id) const;

private:
    std::vector<std::shared_ptr<shared_slab>> slabs_;
};

}  // namespace headrace::exec
