// Reads stream entries out of the replies of XREADGROUP and XAUTOCLAIM without building their trees.
// Threads:  pure; one owner.   Lifetime: views from entry accessors live until the next begin().
#pragma once

#include <array>
#include <cstdint>
#include <headrace/redis/session.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace headrace::mq {

/// <milliseconds>-<sequence>, the name that Redis gives an entry.
struct stream_id {
    std::uint64_t ms = 0;
    std::uint64_t seq = 0;
    friend auto operator<=>(const stream_id&, const stream_id&) = default;
};

stream_id parse_stream_id(std::string_view text) noexcept;
/// Writes at most 41 characters; returns how many.
std::size_t format_stream_id(stream_id id, char* out) noexcept;

/// Which level of the reply holds the array of entries.
enum class entries_shape : std::uint8_t {
    read = 2,   ///< [[key, [entry...]]]            XREADGROUP
    claim = 1,  ///< [cursor, [entry...], [id...]]  XAUTOCLAIM
};

class entry_parser {
public:
    struct entry {
        stream_id where;
        std::uint32_t name = 0, name_size = 0;        // the broker's id as text, in bytes_
        std::uint32_t id = 0, id_size = 0;            // field `id`
        std::uint32_t payload = 0, payload_size = 0;  // field `m`, else the last other field
        bool has_payload = false;
        bool deleted = false;  // still pending, but its content was removed from the stream
    };

    void begin(entries_shape shape);
    void array(std::size_t elements);
    void string(std::string_view bytes);
    void nil();
    void error(std::string_view text) { error_ = std::string(text); }

    const std::vector<entry>& entries() const noexcept { return entries_; }
    std::string_view name(const entry& e) const noexcept { return {bytes_.data() + e.name, e.name_size}; }
    std::string_view id(const entry& e) const noexcept { return {bytes_.data() + e.id, e.id_size}; }
    std::string_view payload(const entry& e) const noexcept { return {bytes_.data() + e.payload, e.payload_size}; }
    const std::string& cursor() const noexcept { return cursor_; }     // XAUTOCLAIM: where to go on, "0-0" at the end
    std::size_t trimmed() const noexcept { return trimmed_; }          // XAUTOCLAIM: pending ids that no longer exist
    const std::string& error_text() const noexcept { return error_; }  // empty: no error

private:
    struct level {
        std::size_t left;   // elements still to come
        std::size_t index;  // of the element that comes next
    };
    std::size_t place();  // enters the next element; returns its index in its array
    void field(std::size_t index, std::string_view bytes);
    std::uint32_t keep(std::string_view bytes);

    std::array<level, 8> levels_{};
    std::size_t depth_ = 0;
    std::size_t base_ = 2;
    bool in_entries_ = false;
    enum class next : std::uint8_t { id, payload, other } next_value_ = next::other;
    std::vector<entry> entries_;
    std::string bytes_;
    std::string cursor_;
    std::string error_;
    std::size_t trimmed_ = 0;
};

}  // namespace headrace::mq
