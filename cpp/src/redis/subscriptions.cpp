#include <headrace/redis/subscriptions.hpp>

namespace headrace::redis {

void subscriptions::want(bool pattern, const std::vector<std::string>& names) {
    of(pattern).wanted.insert(names.begin(), names.end());
}

std::vector<std::string> subscriptions::drop(bool pattern, const std::vector<std::string>& names) {
    auto& own = of(pattern);
    std::vector<std::string> dropped;
    if (names.empty()) {
        dropped.assign(own.wanted.begin(), own.wanted.end());
        own.wanted.clear();
        return dropped;
    }
    for (const auto& name : names) {
        if (own.wanted.erase(name) != 0) dropped.push_back(name);
    }
    return dropped;
}

void subscriptions::on_lost() {
    channels_.confirmed.clear();
    patterns_.confirmed.clear();
}

bool subscriptions::complete() const noexcept {
    return channels_.wanted == channels_.confirmed && patterns_.wanted == patterns_.confirmed;
}

// The pushes of RESP2: message, pmessage, and the confirmations of the four commands.
std::optional<published> subscriptions::on_push(value&& reply) {
    auto& items = reply.items;
    if (reply.type != value::kind::array || items.size() < 3) return std::nullopt;
    const auto& what = items[0].text;
    if (what == "message") return published{std::move(items[1].text), {}, std::move(items[2].text)};
    if (what == "pmessage" && items.size() == 4) {
        return published{std::move(items[2].text), std::move(items[1].text), std::move(items[3].text)};
    }
    const bool pattern = what.starts_with('p');
    if (what == "subscribe" || what == "psubscribe") of(pattern).confirmed.insert(items[1].text);
    if (what == "unsubscribe" || what == "punsubscribe") of(pattern).confirmed.erase(items[1].text);
    return std::nullopt;
}

}  // namespace headrace::redis
