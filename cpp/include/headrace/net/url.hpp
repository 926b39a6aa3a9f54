// Addresses as people write them: scheme://[user[:password]@]host[:port][/path][?key=value&...]  (RFC 3986, section 3).
// `unix:///run/redis.sock` has no host; its path is the socket. Parts are percent-decoded.
// Threads:  pure.   Errors: failure(invalid_argument) whose text quotes the url without its password.
#pragma once

#include <cstdint>
#include <headrace/base/error.hpp>
#include <map>
#include <string>
#include <string_view>

namespace headrace::net {

struct url {
    std::string scheme;  ///< lower case
    std::string user;
    std::string password;
    std::string host;        ///< without the brackets of an IPv6 literal; empty for unix sockets
    std::uint16_t port = 0;  ///< 0: not given
    std::string path;        ///< with its leading slash; empty when absent
    std::map<std::string, std::string> query;

    /// The address for messages and logs: never the password, never the query.
    std::string display() const;
};

failure parse_url(std::string_view text, url& out);

}  // namespace headrace::net
