#include <algorithm>
#include <charconv>
#include <cstring>
#include <headrace/mq/id.hpp>
#include <random>

namespace headrace::mq {

std::string random_instance() {
    static constexpr char alphabet[] = "0123456789abcdefghijklmnopqrstuv";
    std::random_device random;
    std::string text;
    for (int i = 0; i < 12; ++i) text.push_back(alphabet[random() % 32]);
    return text;
}

bool valid_instance(std::string_view text) noexcept {
    const auto fine = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
               c == '-';
    };
    return !text.empty() && text.size() <= 24 && std::all_of(text.begin(), text.end(), fine);
}

id_writer::id_writer(std::string_view instance, std::uint32_t worker) {
    const auto head = std::string(instance.substr(0, 24)) + (worker < 10 ? "-0" : "-") + std::to_string(worker) + "-";
    prefix_ = head.size();
    std::memcpy(text_, head.data(), prefix_);
}

std::string_view id_writer::at(std::uint64_t number) noexcept {
    if (number < 10'000'000'000ULL) [[likely]] {
        // Two digits a step; the compiler turns the constant divisions into multiplications.
        char* p = text_ + prefix_ + digits;
        for (std::size_t i = 0; i < digits / 2; ++i) {
            const auto pair = static_cast<unsigned>(number % 100);
            number /= 100;
            *--p = static_cast<char>('0' + pair % 10);
            *--p = static_cast<char>('0' + pair / 10);
        }
        return {text_, prefix_ + digits};
    }
    const char* end = std::to_chars(text_ + prefix_, text_ + sizeof text_, number).ptr;
    return {text_, static_cast<std::size_t>(end - text_)};
}

}  // namespace headrace::mq
