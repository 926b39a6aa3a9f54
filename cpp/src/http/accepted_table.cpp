#include <array>
#include <headrace/http/accepted_table.hpp>
#include <random>

namespace headrace::http {
namespace {

std::string random_id() {
    static thread_local std::random_device source;
    constexpr std::string_view digits = "0123456789abcdef";
    std::string id;
    for (int word = 0; word < 4; ++word) {
        auto bits = source();
        for (int i = 0; i < 8; ++i, bits >>= 4U) id.push_back(digits[bits & 15U]);
    }
    return id;
}

}  // namespace

std::string_view to_text(work_state s) noexcept {
    constexpr std::array<std::string_view, 4> words{"queued", "running", "done", "failed"};
    return words[static_cast<std::size_t>(s)];
}

std::string accepted_table::add() {
    auto id = random_id();
    const lock_guard hold(m_);
    states_.emplace(id, work_state::queued);
    return id;
}

void accepted_table::set(const std::string& id, work_state s) {
    const lock_guard hold(m_);
    const auto found = states_.find(id);
    if (found == states_.end()) return;
    found->second = s;
    if (s != work_state::done && s != work_state::failed) return;
    ended_.push_back(id);
    if (ended_.size() <= most_) return;
    states_.erase(ended_.front());
    ended_.pop_front();
}

void accepted_table::remove(const std::string& id) {
    const lock_guard hold(m_);
    states_.erase(id);
}

bool accepted_table::find(const std::string& id, work_state& out) const {
    const lock_guard hold(m_);
    const auto found = states_.find(id);
    if (found == states_.end()) return false;
    out = found->second;
    return true;
}

}  // namespace headrace::http
