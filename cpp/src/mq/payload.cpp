#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <headrace/mq/payload.hpp>
#include <iterator>
#include <random>

namespace headrace::mq {
namespace {

constexpr std::size_t pool_slack = 64 * 1024;  // how far the window into the pool moves before it starts again
constexpr std::size_t step = 61;               // prime, so that successive payloads share no alignment

std::string random_bytes(std::size_t size, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; i += 8) {
        const std::uint64_t word = random();
        std::memcpy(bytes.data() + i, &word, std::min<std::size_t>(8, size - i));
    }
    return bytes;
}

std::string words(std::size_t size) {
    static constexpr std::string_view sentence =
        "the stream that turns the mill runs in a narrow channel and every drop of it is counted at the gate before "
        "it falls on the wheel ";
    std::string text;
    while (text.size() < size) text += sentence;
    text.resize(size);
    return text;
}

failure read_file(const std::string& path, std::string& out) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return failure::of(
            errc::invalid_argument,
            "payload '" + path + "' is neither random nor text nor a readable file (" + std::strerror(errno) + ")");
    }
    out.assign(std::istreambuf_iterator<char>(file), {});
    if (file.bad()) return failure::of(errc::io_error, "cannot read the payload file " + path);
    return {};
}

}  // namespace

failure payload_source::make(std::string_view what, std::size_t size, std::uint64_t seed, payload_source& out) {
    out = {};
    if (what != "random" && what != "text") {
        if (auto bad = read_file(std::string(what), out.buffer_)) return bad;
        if (out.buffer_.empty())
            return failure::of(errc::invalid_argument, "the payload file " + std::string(what) + " is empty");
        out.size_ = out.buffer_.size();
        return {};
    }
    out.generated_ = true;
    out.size_ = size;
    out.pool_ = what == "random" ? random_bytes(size + pool_slack, seed) : words(size + pool_slack);
    out.buffer_.resize(size);
    return {};
}

std::string_view payload_source::at(std::string_view id) noexcept {
    if (!generated_) return buffer_;
    offset_ += step;
    if (offset_ >= pool_slack) offset_ -= pool_slack;
    const bool with_id = id.size() <= size_;
    const std::size_t head = with_id ? std::min(id.size() + 1, size_) : 0;
    if (with_id) std::memcpy(buffer_.data(), id.data(), id.size());
    if (head > id.size()) buffer_[id.size()] = ' ';
    std::memcpy(buffer_.data() + head, pool_.data() + offset_, size_ - head);
    return buffer_;
}

std::string_view id_in_payload(std::string_view payload) noexcept {
    const auto word = payload.substr(0, payload.substr(0, 41).find(' '));
    const auto fine = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
               c == '-';
    };
    const bool is_id = word.size() >= 16 && word.size() <= 40 && std::all_of(word.begin(), word.end(), fine);
    return is_id ? word : std::string_view{};
}

}  // namespace headrace::mq
