// What became of work that was accepted to be done after its answer: queued, running, done or failed.
//
// An id is 128 random bits: who knows it may ask. What has ended is forgotten when `most` newer ones are there.
// Threads:  every function from any thread; one leaf lock.   Errors: none.
#pragma once

#include <cstdint>
#include <deque>
#include <headrace/base/mutex.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace headrace::http {

enum class work_state : std::uint8_t { queued, running, done, failed };
std::string_view to_text(work_state s) noexcept;

class accepted_table {
public:
    /// `path`: where states are asked for, the id appended.
    explicit accepted_table(std::string path = "/accepted/", std::size_t most = 10'000)
        : path_(std::move(path)), most_(most) {}
    const std::string& path() const noexcept { return path_; }

    std::string add();
    void set(const std::string& id, work_state s);
    /// It was not accepted after all.
    void remove(const std::string& id);
    /// False when it is unknown, or forgotten.
    bool find(const std::string& id, work_state& out) const;

private:
    const std::string path_;
    const std::size_t most_;
    mutable mutex m_;
    std::unordered_map<std::string, work_state> states_ HEADRACE_GUARDED_BY(m_);
    std::deque<std::string> ended_ HEADRACE_GUARDED_BY(m_);
};

}  // namespace headrace::http
