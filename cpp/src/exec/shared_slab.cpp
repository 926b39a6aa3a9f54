#include <headrace/exec/shared_slab.hpp>

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <headrace/base/clock.hpp>
#include <headrace/base/parker.hpp>
#include <utility>

namespace headrace::exec {
namespace {

constexpr std::uint64_t round_up(std::uint64_t n, std::uint64_t to) {
    return (n + to - 1) / to * to;
}

std::atomic<std::uint64_t> last_id{0};

}  // namespace

std::shared_ptr<shared_slab> shared_slab::map(int fd, std::uint64_t id, std::uint64_t capacity) {
    void* const base = ::mmap(nullptr, header_size + capacity, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        ::close(fd);
        return nullptr;
    }
    return std::shared_ptr<shared_slab>(new shared_slab(fd, static_cast<char*>(base), id, capacity));
}

std::shared_ptr<shared_slab> shared_slab::make(std::uint64_t capacity) {
    // Room to spare, so that messages of about one size use one slab.
    const std::uint64_t room = round_up(capacity + capacity / 8, 64 * 1024);
    const int fd = ::memfd_create("headrace", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return nullptr;
    // Sealed against shrinking: a worker must not be able to take memory away under our hands (SIGBUS).
    if (::ftruncate(fd, static_cast<off_t>(header_size + room)) != 0 ||
        ::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        ::close(fd);
        return nullptr;
    }
    return map(fd, last_id.fetch_add(1, std::memory_order_relaxed) + 1, room);
}

std::shared_ptr<shared_slab> shared_slab::attach(int fd, std::uint64_t id, std::uint64_t capacity) {
    struct stat info {};
    const int seals = ::fcntl(fd, F_GET_SEALS);
    const bool good = ::fstat(fd, &info) == 0 && seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && capacity < 1ULL << 46U &&
                      static_cast<std::uint64_t>(info.st_size) >= header_size + capacity;
    if (!good) {
        ::close(fd);
        return nullptr;
    }
    auto slab = map(fd, id, capacity);
    if (slab) ::close(std::exchange(slab->fd_, -1));  // the mapping is enough here
    return slab;
}

shared_slab::~shared_slab() {
    if (fd_ >= 0) retire();  // the sender's: no message that is under way needs it any more
    ::munmap(base_, header_size + capacity_);
    if (fd_ >= 0) ::close(fd_);
}

bool shared_slab::wait_filled(std::uint64_t bytes) const noexcept {
    constexpr ns patience = std::chrono::seconds{10};
    constexpr int looks = 2000;  // some 50 us: the other end is about to be there, if it runs
    std::uint64_t seen = filled();
    ns since = monotonic_now();
    while (seen < bytes) {
        for (int i = 0; i < looks && filled() == seen; ++i) spin_pause();
        const std::uint64_t now = filled();
        if (now == seen) {
            if (monotonic_now() - since > patience) return false;
            ::sched_yield();
            continue;
        }
        seen = now;
        since = monotonic_now();
    }
    return true;
}

std::vector<std::uint64_t> part_offsets(std::span<const std::uint64_t> sizes, std::uint64_t& total) {
    std::vector<std::uint64_t> offsets;
    offsets.reserve(sizes.size());
    total = 0;
    for (const auto size : sizes) {
        offsets.push_back(total);
        total += part_room(size);
    }
    return offsets;
}

std::shared_ptr<shared_slab> slab_cache::take(std::uint64_t size) {
    std::erase_if(slabs_, [this](const auto& s) {
        if (s->retired()) bytes_ -= s->capacity();
        return s->retired();
    });
    const auto fits = [&](const auto& s) {
        return s->capacity() >= size && s->capacity() / 4 <= size + 256 * 1024 && !s->busy();
    };
    if (const auto found = std::ranges::find_if(slabs_, fits); found != slabs_.end()) {
        (*found)->take();
        return *found;
    }
    auto slab = shared_slab::make(size);
    if (!slab) return nullptr;
    slab->take();
    keep(slab);
    return slab;
}

void slab_cache::keep(std::shared_ptr<shared_slab> slab) {
    bytes_ += slab->capacity();
    slabs_.push_back(std::move(slab));
    while (!slabs_.empty() && (slabs_.size() > most || bytes_ > most_bytes)) {
        bytes_ -= slabs_.front()->capacity();
        slabs_.erase(slabs_.begin());
    }
}

void slab_table::add(std::shared_ptr<shared_slab> slab) {
    std::erase_if(slabs_, [](const auto& s) { return s->retired(); });
    slabs_.push_back(std::move(slab));
}

std::shared_ptr<shared_slab> slab_table::find(std::uint64_t id) const {
    const auto found = std::ranges::find_if(slabs_, [id](const auto& s) { return s->id() == id; });
    return found == slabs_.end() ? nullptr : *found;
}

}  // namespace headrace::exec
