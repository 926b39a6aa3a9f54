#include <xxhash.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <headrace/base/bytes.hpp>
#include <headrace/measure/segment_format.hpp>

namespace headrace::measure {
namespace {

namespace json = boost::json;

constexpr std::string_view file_magic = "headrseg";
constexpr std::string_view block_magic = "HRBk";
constexpr std::uint32_t version = 1;

struct column {
    const char* name;
    const char* type;
    bool in_ledger;
};
constexpr column sent_columns[] = {
    {"id", "S40", true},    {"intended", "<i8", false}, {"sent", "<i8", true},      {"acked", "<i8", true},
    {"size", "<u4", false}, {"worker", "<u2", false},   {"attempts", "<u2", false}, {"error", "<i4", true},
};
constexpr column received_columns[] = {
    {"id", "S40", true},      {"received", "<i8", true},     {"receive_acked", "<i8", true}, {"size", "<u4", false},
    {"worker", "<u2", false}, {"redelivered", "<u2", false}, {"error", "<i4", true},
};

std::span<const column> columns_of(row_kind kind) noexcept {
    if (kind == row_kind::sent) return sent_columns;
    return received_columns;
}

failure damaged(const std::string& what) {
    return failure::of(errc::io_error, "the segment's header " + what);
}

/// Width of "S40", "<i8" and the like; 0 for what this program does not read.
std::size_t type_width(std::string_view type) noexcept {
    if (type.size() < 2) return 0;
    const bool text = type.front() == 'S';
    if (!text && (type.front() != '<' || type.size() != 3 || (type[1] != 'i' && type[1] != 'u'))) return 0;
    const char* first = type.data() + (text ? 1 : 2);
    std::size_t width = 0;
    const auto end = std::from_chars(first, type.data() + type.size(), width);
    if (end.ec != std::errc{} || end.ptr != type.data() + type.size()) return 0;
    const bool known = text ? width <= 4096 : (width == 1 || width == 2 || width == 4 || width == 8);
    return known ? width : 0;
}

const std::string* text_at(const json::object& o, const char* key, std::string& keep) {
    const auto* v = o.if_contains(key);
    if (v == nullptr || !v->is_string()) return nullptr;
    keep.assign(v->get_string().data(), v->get_string().size());
    return &keep;
}

bool number_at(const json::object& o, const char* key, std::int64_t& out) {
    const auto* v = o.if_contains(key);
    if (v == nullptr || !v->is_int64()) return false;
    out = v->get_int64();
    return true;
}

bool size_at(const json::object& o, const char* key, std::size_t limit, std::size_t& out) {
    std::int64_t n = 0;
    if (!number_at(o, key, n) || n < 0 || static_cast<std::uint64_t>(n) > limit) return false;
    out = static_cast<std::size_t>(n);
    return true;
}

bool read_fields(const json::object& o, segment_header& h) {
    const auto* list = o.if_contains("fields");
    if (list == nullptr || !list->is_array() || list->get_array().empty() || list->get_array().size() > 64)
        return false;
    for (const auto& item : list->get_array()) {
        segment_field f;
        if (!item.is_object()) return false;
        const auto& field = item.get_object();
        if (text_at(field, "name", f.name) == nullptr || text_at(field, "type", f.type) == nullptr) return false;
        if (f.width() == 0 || !size_at(field, "offset", h.record_size - 1, f.offset)) return false;
        if (f.width() > h.record_size - f.offset) return false;
        h.fields.push_back(std::move(f));
    }
    return true;
}

bool read_names(const json::object& o, segment_header& h) {
    std::string kind;
    std::string detail;
    if (text_at(o, "kind", kind) == nullptr || text_at(o, "detail", detail) == nullptr) return false;
    if (text_at(o, "program", h.program) == nullptr) return false;
    if (kind != "sent" && kind != "received") return false;
    if (detail != "full" && detail != "ledger") return false;
    h.kind = kind == "sent" ? row_kind::sent : row_kind::received;
    h.detail = detail == "full" ? detail_level::full : detail_level::ledger;
    return true;
}

bool read_object(const json::object& o, segment_header& h) {
    std::int64_t monotonic = 0;
    std::int64_t epoch = 0;
    const auto* anchor = o.if_contains("clock_anchor");
    if (anchor == nullptr || !anchor->is_object()) return false;
    if (!number_at(anchor->get_object(), "monotonic_ns", monotonic)) return false;
    if (!number_at(anchor->get_object(), "epoch_ns", epoch)) return false;
    h.anchor = {ns{monotonic}, ns{epoch}};
    if (!size_at(o, "record_size", segment_max_block, h.record_size) || h.record_size == 0) return false;
    if (!size_at(o, "block_bytes", segment_max_block, h.block_bytes) || h.block_bytes < h.record_size) return false;
    return read_names(o, h) && read_fields(o, h);
}

}  // namespace

const char* name_of(row_kind kind) noexcept {
    return kind == row_kind::sent ? "sent" : "received";
}

const char* name_of(detail_level detail) noexcept {
    switch (detail) {
        case detail_level::full: return "full";
        case detail_level::ledger: return "ledger";
        case detail_level::summary: return "summary";
    }
    return "unknown";
}

std::size_t segment_field::width() const noexcept {
    return type_width(type);
}

std::ptrdiff_t segment_header::offset_of(std::string_view name, std::string_view type) const noexcept {
    for (const auto& f : fields) {
        if (f.name == name && f.type == type) return static_cast<std::ptrdiff_t>(f.offset);
    }
    return -1;
}

segment_header make_segment_header(row_kind kind, detail_level detail, std::string program, clock_anchor anchor,
                                   std::size_t block_bytes) {
    segment_header h;
    h.kind = kind;
    h.detail = detail;
    h.program = std::move(program);
    h.anchor = anchor;
    for (const auto& c : columns_of(kind)) {
        if (detail != detail_level::full && !c.in_ledger) continue;
        h.fields.push_back({c.name, c.type, h.record_size});
        h.record_size += type_width(c.type);
    }
    h.record_size = (h.record_size + 7) / 8 * 8;
    const std::size_t rows = std::clamp(block_bytes, h.record_size, segment_max_block) / h.record_size;
    h.block_bytes = rows * h.record_size;
    return h;
}

std::string encode_segment_header(const segment_header& h) {
    json::array fields;
    for (const auto& f : h.fields) fields.push_back({{"name", f.name}, {"type", f.type}, {"offset", f.offset}});
    const json::object o{
        {"format", "headrace segment"},
        {"kind", name_of(h.kind)},
        {"detail", name_of(h.detail)},
        {"program", h.program},
        {"clock_anchor", {{"monotonic_ns", h.anchor.monotonic.count()}, {"epoch_ns", h.anchor.epoch.count()}}},
        {"record_size", h.record_size},
        {"block_bytes", h.block_bytes},
        {"fields", std::move(fields)},
    };
    const std::string text = json::serialize(o);
    std::string out(file_magic);
    append_bytes(out, version);
    append_bytes(out, static_cast<std::uint32_t>(text.size()));
    out += text;
    append_bytes(out, static_cast<std::uint64_t>(XXH64(out.data(), out.size(), 0)));
    return out;
}

std::size_t segment_header_size(std::string_view prologue) noexcept {
    if (prologue.size() < segment_prologue || !prologue.starts_with(file_magic)) return 0;
    const auto length = load<std::uint32_t>(prologue.data() + 12);
    return length <= segment_max_json ? segment_prologue + length + 8 : 0;
}

failure decode_segment_header(std::string_view bytes, segment_header& out) {
    const std::size_t size = segment_header_size(bytes);
    if (size == 0 || bytes.size() != size) return damaged("is not one of this program");
    const auto found = load<std::uint32_t>(bytes.data() + 8);
    if (found != version) {
        return damaged("has version " + std::to_string(found) + "; this program reads version " +
                       std::to_string(version));
    }
    const std::string_view covered = bytes.substr(0, size - 8);
    if (load<std::uint64_t>(bytes.data() + covered.size()) != XXH64(covered.data(), covered.size(), 0)) {
        return damaged("is damaged: its checksum does not match");
    }
    boost::system::error_code bad;
    const std::string_view text = covered.substr(segment_prologue);
    json::parse_options lenient;
    lenient.allow_invalid_utf8 = true;  // a program's name is bytes
    const json::value v = json::parse(json::string_view(text.data(), text.size()), bad, {}, lenient);
    segment_header h;
    h.json = text;
    if (bad || !v.is_object() || !read_object(v.get_object(), h)) return damaged("lacks something or is not JSON");
    out = std::move(h);
    return {};
}

void encode_block_header(std::string_view records, std::uint32_t rows, char* to) noexcept {
    std::copy(block_magic.begin(), block_magic.end(), to);
    store(to + 4, rows);
    store(to + 8, static_cast<std::uint64_t>(XXH64(records.data(), records.size(), 0)));
    store(to + 16, static_cast<std::uint64_t>(XXH64(to, 16, 0)));
}

bool decode_block_header(const char* bytes, segment_block& out) noexcept {
    if (load<std::uint64_t>(bytes + 16) != XXH64(bytes, 16, 0)) return false;
    if (std::string_view(bytes, 4) != block_magic) return false;
    out = {load<std::uint32_t>(bytes + 4), load<std::uint64_t>(bytes + 8)};
    return true;
}

bool block_is_whole(const segment_block& block, std::string_view records) noexcept {
    return block.checksum == XXH64(records.data(), records.size(), 0);
}

}  // namespace headrace::measure
