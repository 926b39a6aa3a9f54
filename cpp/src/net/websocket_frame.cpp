#include <algorithm>
#include <cstring>
#include <headrace/net/websocket_frame.hpp>

namespace headrace::net::websocket {
namespace {

constexpr std::size_t max_control_payload = 125;

std::uint64_t big_endian(std::string_view bytes) noexcept {
    std::uint64_t n = 0;
    for (const char c : bytes) n = n << 8U | static_cast<unsigned char>(c);
    return n;
}

char* put_big_endian(char* to, std::uint64_t n, unsigned bytes) noexcept {
    for (unsigned i = bytes; i-- > 0;) *to++ = static_cast<char>(n >> (8U * i));
    return to;
}

}  // namespace

bool may_be_sent(std::uint16_t code) noexcept {
    if (code >= 3000) return code <= 4999;
    return code >= 1000 && code <= 1014 && code != 1004 && code != close_code::none_given &&
           code != close_code::abnormal;
}

bool read_header(std::string_view in, frame_header& out) noexcept {
    if (in.size() < 2) return false;
    const auto first = static_cast<unsigned char>(in[0]);
    const auto second = static_cast<unsigned char>(in[1]);
    out.fin = (first & 0x80U) != 0;
    out.rsv = static_cast<std::uint8_t>(first >> 4U & 7U);
    out.code = first & 15U;
    out.masked = (second & 0x80U) != 0;
    out.size = second & 0x7fU;
    const std::size_t extra = out.size == 126 ? 2 : out.size == 127 ? 8 : 0;
    const std::size_t total = 2 + extra + (out.masked ? 4 : 0);
    if (in.size() < total) return false;
    out.header_size = static_cast<std::uint8_t>(total);
    out.shortest = true;
    if (extra != 0) {
        out.size = big_endian(in.substr(2, extra));
        out.shortest = extra == 2 ? out.size > 125 : out.size > 0xffff;
    }
    if (out.masked) std::memcpy(out.mask.data(), in.data() + 2 + extra, 4);
    return true;
}

std::size_t write_header(std::span<char, 14> out, opcode code, std::uint64_t size, bool fin, std::uint8_t rsv,
                         const std::array<char, 4>* mask) noexcept {
    char* at = out.data();
    *at++ = static_cast<char>((fin ? 0x80U : 0U) | static_cast<unsigned>(rsv) << 4U | static_cast<unsigned>(code));
    const unsigned flag = mask != nullptr ? 0x80U : 0U;
    if (size <= 125) {
        *at++ = static_cast<char>(flag | size);
    } else if (size <= 0xffff) {
        *at++ = static_cast<char>(flag | 126U);
        at = put_big_endian(at, size, 2);
    } else {
        *at++ = static_cast<char>(flag | 127U);
        at = put_big_endian(at, size, 8);
    }
    if (mask != nullptr) at = std::copy(mask->begin(), mask->end(), at);
    return static_cast<std::size_t>(at - out.data());
}

void apply_mask(std::span<char> bytes, const std::array<char, 4>& mask, std::uint64_t offset) noexcept {
    std::array<char, 8> turned{};
    for (std::size_t i = 0; i < turned.size(); ++i) turned[i] = mask[(offset + i) % 4];
    std::uint64_t wide;
    std::memcpy(&wide, turned.data(), sizeof wide);
    char* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 8; at += 8, left -= 8) {  // compilers make vectors of it
        std::uint64_t word;
        std::memcpy(&word, at, sizeof word);
        word ^= wide;
        std::memcpy(at, &word, sizeof word);
    }
    for (std::size_t i = 0; i < left; ++i) at[i] = static_cast<char>(at[i] ^ turned[i]);
}

void append_frame(std::string& out, opcode code, std::string_view payload, bool fin, const std::array<char, 4>* mask) {
    std::array<char, 14> header;
    out.append(header.data(), write_header(header, code, payload.size(), fin, 0, mask));
    const auto at = out.size();
    out.append(payload);
    if (mask != nullptr) apply_mask(std::span(out).subspan(at), *mask, 0);
}

void append_close(std::string& out, std::uint16_t code, std::string_view reason, const std::array<char, 4>* mask) {
    std::string payload;
    if (code != close_code::none_given) {
        std::array<char, 2> bytes;
        put_big_endian(bytes.data(), code, 2);
        payload.append(bytes.data(), bytes.size());
        auto size = std::min(reason.size(), max_control_payload - 2);
        while (size < reason.size() && size > 0 && (static_cast<unsigned char>(reason[size]) & 0xc0U) == 0x80U) --size;
        payload.append(reason.substr(0, size));
    }
    append_frame(out, opcode::close, payload, true, mask);
}

}  // namespace headrace::net::websocket
