// Records of one type, appended by several workers into numbered partitions and read back one partition at a time.
// Held in the pool's blocks; once the pool is at its limit, full blocks go to the worker's temporary file instead.
//
// Order:    what one worker appended to one partition comes back in that order, workers one after another.
// Threads:  append(w, ...) from worker w's thread only; read() from any thread once no worker appends.
// Lifetime: the pool outlives the store.   Errors: error(w) is sticky; records after it are dropped.
#pragma once

#include <cstring>
#include <deque>
#include <headrace/measure/block_pool.hpp>
#include <type_traits>

namespace headrace::measure {

template <class T>
class spill_store {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    spill_store(block_pool& pool, std::size_t partitions, std::size_t workers, const std::string& folder)
        : pool_(pool) {
        for (std::size_t w = 0; w < workers; ++w) workers_.emplace_back(partitions, folder);
    }
    ~spill_store() {
        for (worker& w : workers_)
            for (partition& p : w.partitions) drop(p);
    }
    spill_store(const spill_store&) = delete;
    spill_store& operator=(const spill_store&) = delete;

    void append(std::size_t w, std::size_t p, const T& record) {
        partition& part = workers_[w].partitions[p];
        if (part.used == per_block) turn(workers_[w], part);
        std::memcpy(part.current + part.used * sizeof(T), &record, sizeof(T));
        ++part.used;
    }

    const failure& error(std::size_t w) const noexcept { return workers_[w].error; }
    std::size_t partitions() const noexcept { return workers_.front().partitions.size(); }

    std::size_t size(std::size_t p) const noexcept {
        std::size_t n = 0;
        for (const worker& w : workers_) n += count(w.partitions[p]);
        return n;
    }

    /// Replaces `out` with the partition's records.
    failure read(std::size_t p, std::vector<T>& out) const {
        out.resize(size(p));
        auto* to = reinterpret_cast<std::byte*>(out.data());
        return each_block(p, [&to](const std::byte* from, std::size_t n) {
            std::memcpy(to, from, n * sizeof(T));
            to += n * sizeof(T);
        });
    }

    /// Gives the partition's records to `f(pointer, count)`, some hundreds at a time, without holding them all.
    template <class F>
    failure each_block(std::size_t p, F&& f) const {
        std::vector<std::byte> from_file;
        for (const worker& w : workers_) {
            const partition& part = w.partitions[p];
            for (const block& b : part.full) {
                if (b.memory == nullptr) {
                    from_file.resize(per_block * sizeof(T));
                    if (failure e = w.file.read(from_file.data(), from_file.size(), b.offset)) return e;
                }
                f(b.memory != nullptr ? b.memory : from_file.data(), per_block);
            }
            if (part.current != nullptr && part.used != 0) f(part.current, part.used);
        }
        return {};
    }

    /// Gives the partition's memory back to the pool; nothing can be read from it any more.
    void release(std::size_t p) {
        for (worker& w : workers_) drop(w.partitions[p]);
    }

private:
    static constexpr std::size_t per_block = block_pool::block_bytes / sizeof(T);

    struct block {
        std::byte* memory = nullptr;  ///< null: in the file
        std::uint64_t offset = 0;
    };
    struct partition {
        std::byte* current = nullptr;
        std::size_t used = per_block;  ///< of current; per_block when there is none
        std::vector<block> full;
    };
    struct worker {
        worker(std::size_t n, const std::string& folder) : partitions(n), file(folder) {}
        std::vector<partition> partitions;
        spill_file file;
        failure error;
    };

    static std::size_t count(const partition& p) noexcept {
        return p.full.size() * per_block + (p.current == nullptr ? 0 : p.used);
    }

    /// Puts the full block away and makes room for the next record.
    void turn(worker& w, partition& p) {
        if (p.current != nullptr && pool_.within_limit()) {
            p.full.push_back({p.current, 0});
            p.current = nullptr;
        } else if (p.current != nullptr && !w.error) {
            block b;
            w.error = w.file.write(p.current, per_block * sizeof(T), b.offset);
            if (!w.error) p.full.push_back(b);
        }
        if (p.current == nullptr) p.current = pool_.take();
        p.used = 0;
    }

    void drop(partition& p) {
        for (const block& b : p.full)
            if (b.memory != nullptr) pool_.give(b.memory);
        if (p.current != nullptr) pool_.give(p.current);
        p = partition{};
    }

    block_pool& pool_;
    std::deque<worker> workers_;
};

}  // namespace headrace::measure
