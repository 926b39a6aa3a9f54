// Any bytes through the reader of WebSocket messages, in one piece and in small ones: the same messages, the same end,
// text that is UTF-8, and nothing beyond the limit. The first byte chooses role, limit and sizes.
#include <cstdint>
#include <cstdlib>
#include <headrace/net/websocket_reader.hpp>
#include <string>

namespace {

using namespace headrace::net;
using event = websocket::reader::event;

void require(bool promise) {
    if (!promise) std::abort();
}

std::string read(std::string_view bytes, std::size_t piece, const websocket::reader_options& options) {
    websocket::reader r(options);
    std::string pending, log;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        pending += bytes.substr(at, piece);
        std::size_t used = 0;
        for (;;) {
            std::string exact = pending.substr(used);
            const auto s = r.next(exact);
            require(s.consumed <= exact.size());
            if (s.what == event::failed) {
                require(websocket::may_be_sent(r.code()));
                return log + "failed" + std::to_string(r.code());
            }
            used += s.consumed;
            if (s.what == event::need_more) break;
            const bool control = s.what != event::text && s.what != event::binary;
            require(s.payload.size() <= (control ? 125 : options.max_message));
            utf8_validator check;
            if (s.what == event::text) require(check.add(s.payload) && check.complete());
            log.append(1, static_cast<char>('0' + static_cast<int>(s.what))).append(s.payload).append("\n");
        }
        pending.erase(0, used);
        require(pending.size() <= 14 + 125);
    }
    return log;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    websocket::reader_options options;
    options.reads_as = data[0] % 2 != 0 ? websocket::role::client : websocket::role::server;
    if (data[0] / 2 % 2 != 0) options.max_message = 64;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    require(read(bytes, bytes.size() + 1, options) == read(bytes, data[0] / 4 % 16 + 1, options));
    return 0;
}
