// Addresses come from people and configuration files: any text is parsed or refused with a sentence that does not tell
// the password, and what is shown of an address names the same place again.
#include <cstdlib>
#include <headrace/net/url.hpp>
#include <headrace/redis/connection.hpp>
#include <string>

namespace {

using namespace headrace;

void require(bool promise) {
    if (!promise) std::abort();
}

bool plain(std::string_view text) {
    return text.find_first_of("%@/?#:[] ") == std::string_view::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    net::url address;
    if (const auto refused = net::parse_url(text, address)) {
        require(refused.code == errc::invalid_argument && !refused.message.empty());
        return 0;
    }
    require(!address.scheme.empty());
    redis::connection_options options;
    if (const auto refused = redis::parse_address(address, options)) {
        require(refused.code == errc::invalid_argument && !refused.message.empty());
        // The same words for another password: nothing of it is in them.
        net::url other = address;
        other.password = std::string(address.password.size() + 1, '*');
        redis::connection_options unused;
        require(redis::parse_address(other, unused).message == refused.message);
    }
    // Percent-encoding is not restored for display, so only plain parts must come back.
    if (!plain(address.user) || !plain(address.host) || address.path.find_first_of("%?#@") != std::string::npos)
        return 0;
    net::url again;
    require(!net::parse_url(address.display(), again));
    require(again.scheme == address.scheme && again.user == address.user && again.host == address.host);
    require(again.port == address.port && again.path == address.path);
    return 0;
}
