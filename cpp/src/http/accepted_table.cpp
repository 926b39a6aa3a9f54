#include <sys/random.h>

#include <array>
#include <headrace/http/accepted_table.hpp>

namespace headrace::http {
namespace {

std::string random_id() {
    constexpr std::string_view digits = "0123456789abcdef";
    std::array<unsigned char, 16> bytes{};
    // So few bytes come whole, at once, and never fail once the system is up.
    static_cast<void>(::getrandom(bytes.data(), bytes.size(), 0));
    std::string id;
    for (const auto b : bytes) id.append({digits[b >> 4U], digits[b & 15U]});
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
