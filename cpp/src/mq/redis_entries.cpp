#include <charconv>
#include <headrace/mq/redis_entries.hpp>

namespace headrace::mq {

stream_id parse_stream_id(std::string_view text) noexcept {
    stream_id id;
    const char* end = text.data() + text.size();
    const auto dash = std::from_chars(text.data(), end, id.ms).ptr;
    if (dash != end && *dash == '-') std::from_chars(dash + 1, end, id.seq);
    return id;
}

std::size_t format_stream_id(stream_id id, char* out) noexcept {
    char* p = std::to_chars(out, out + 20, id.ms).ptr;
    *p++ = '-';
    p = std::to_chars(p, p + 20, id.seq).ptr;
    return static_cast<std::size_t>(p - out);
}

void entry_parser::begin(entries_shape shape) {
    base_ = static_cast<std::size_t>(shape);
    depth_ = 0;
    in_entries_ = false;
    entries_.clear();
    bytes_.clear();
    cursor_.clear();
    error_.clear();
    trimmed_ = 0;
}

std::size_t entry_parser::place() {
    while (depth_ > 0 && levels_[depth_ - 1].left == 0) --depth_;
    if (depth_ == 0) return 0;
    auto& here = levels_[depth_ - 1];
    --here.left;
    return here.index++;
}

void entry_parser::array(std::size_t elements) {
    const auto index = place();
    if (depth_ == base_) in_entries_ = index == 1;
    if (in_entries_ && depth_ == base_ + 1) entries_.emplace_back();
    if (depth_ < levels_.size()) levels_[depth_++] = {elements, 0};
}

void entry_parser::string(std::string_view bytes) {
    const auto index = place();
    const bool claim = base_ == static_cast<std::size_t>(entries_shape::claim);
    if (in_entries_ && depth_ > base_) {
        if (depth_ == base_ + 2 && index == 0) {
            auto& e = entries_.back();
            e.where = parse_stream_id(bytes);
            e.name = keep(bytes);
            e.name_size = static_cast<std::uint32_t>(bytes.size());
        } else if (depth_ == base_ + 3) {
            field(index, bytes);
        }
    } else if (claim && depth_ == base_ && index == 0) {
        cursor_ = std::string(bytes);
    } else if (claim && depth_ == base_ + 1) {
        ++trimmed_;
    }
}

void entry_parser::nil() {
    place();
    if (in_entries_ && depth_ == base_ + 2 && !entries_.empty()) entries_.back().deleted = true;
}

void entry_parser::field(std::size_t index, std::string_view bytes) {
    if (index % 2 == 0) {
        next_value_ = bytes == "id" ? next::id : bytes == "m" ? next::payload : next::other;
        return;
    }
    auto& e = entries_.back();
    const auto size = static_cast<std::uint32_t>(bytes.size());
    if (next_value_ == next::id) {
        e.id = keep(bytes);
        e.id_size = size;
    } else if (next_value_ == next::payload || !e.has_payload) {
        e.payload = keep(bytes);
        e.payload_size = size;
        e.has_payload = next_value_ == next::payload;
    }
}

std::uint32_t entry_parser::keep(std::string_view bytes) {
    const auto at = static_cast<std::uint32_t>(bytes_.size());
    bytes_.append(bytes);
    return at;
}

}  // namespace headrace::mq
