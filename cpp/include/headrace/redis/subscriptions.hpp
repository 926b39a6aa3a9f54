// Which channels and patterns are wanted, which the server has confirmed, and what a pushed reply means. No socket.
// Threads:  pure; one owner.   Errors: an error reply is the caller's to judge.
#pragma once

#include <headrace/redis/value.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::redis {

struct published {
    std::string channel;
    std::string pattern;  ///< that matched the channel; empty for a plain subscription
    std::string payload;
};

class subscriptions {
public:
    struct set {
        std::set<std::string> wanted;
        std::set<std::string> confirmed;
    };

    void want(bool pattern, const std::vector<std::string>& names);
    /// Empty `names`: all of that kind. The names that were wanted and are no more.
    std::vector<std::string> drop(bool pattern, const std::vector<std::string>& names);
    /// A new connection knows nothing of the old one's.
    void on_lost();
    bool complete() const noexcept;
    const std::set<std::string>& wanted(bool pattern) const noexcept { return of(pattern).wanted; }

    /// A pushed reply: a message, or none when it confirms something.
    std::optional<published> on_push(value&& reply);

private:
    set& of(bool pattern) noexcept { return pattern ? patterns_ : channels_; }
    const set& of(bool pattern) const noexcept { return pattern ? patterns_ : channels_; }

    set channels_;
    set patterns_;
};

}  // namespace headrace::redis
