#include <headrace/http/answer_wire.hpp>

#include "wire_text.hpp"

namespace headrace::http {
namespace {

// Opcodes of pickle (Lib/pickletools.py of CPython describes them).
constexpr std::string_view proto = "\x80\x05";
constexpr char frame = '\x95', short_bytes = 'C', medium_bytes = 'B', long_bytes = '\x8e';
constexpr std::string_view next_buffer_as_bytes = "cheadrace.exec.wire\ntake_bytes\n\x97\x85R";

void put_bytes(std::string& out, std::string_view bytes) {
    out.push_back(medium_bytes);
    put(out, bytes);
}

bool take(std::string_view& from, std::size_t n, std::uint64_t& number) {
    if (from.size() < n) return false;
    number = 0;
    std::memcpy(&number, from.data(), n);  // little-endian, as this machine is
    from.remove_prefix(n);
    return true;
}

}  // namespace

std::string pack_head(const wire_answer& a) {
    std::string out;
    put(out, static_cast<std::uint32_t>(a.what));
    put(out, a.head.status);
    put(out, a.head.content_type);
    put(out, a.log);
    put(out, static_cast<std::uint32_t>(a.head.fields.size()));
    for (const auto& [name, value] : a.head.fields) {
        put(out, name);
        put(out, value);
    }
    return out;
}

bool unpack(std::string_view bytes, wire_answer& out) {
    wire_reader in(bytes);
    std::uint32_t what = 0, fields = 0;
    std::string_view type, log, name, value;
    if (!in.number(what) || what > static_cast<std::uint32_t>(wire_answer::kind::raised)) return false;
    if (!in.number(out.head.status) || !in.text(type) || !in.text(log) || !in.count(fields)) return false;
    for (; fields != 0; --fields) {
        if (!in.text(name) || !in.text(value)) return false;
        out.head.fields.emplace_back(name, value);
    }
    out.what = static_cast<wire_answer::kind>(what);
    out.head.content_type = type;
    out.log = log;
    out.head.body = in.rest();
    return true;
}

bool pickled_bytes(std::string_view pickle, std::string_view& out) {
    std::uint64_t n = 0;
    if (!pickle.starts_with(proto)) return false;
    pickle.remove_prefix(proto.size());
    if (!pickle.empty() && pickle.front() == frame) {
        pickle.remove_prefix(1);
        if (!take(pickle, 8, n)) return false;
    }
    if (pickle.empty()) return false;
    const char op = pickle.front();
    pickle.remove_prefix(1);
    const std::size_t width = op == short_bytes ? 1 : op == medium_bytes ? 4 : op == long_bytes ? 8 : 0;
    if (width == 0 || !take(pickle, width, n) || n > pickle.size()) return false;
    out = pickle.substr(0, n);
    return true;
}

std::string pickle_arguments(std::string_view first) {
    std::string out(proto);
    put_bytes(out, first);
    return out.append("\x85N\x86.");
}

std::string pickle_arguments(std::string_view first, std::string_view second) {
    std::string out(proto);
    out.reserve(first.size() + second.size() + 32);
    put_bytes(out, first);
    put_bytes(out, second);
    return out.append("\x86N\x86.");
}

std::string pickle_arguments_beside(std::string_view first) {
    std::string out(proto);
    put_bytes(out, first);
    return out.append(next_buffer_as_bytes).append("\x86N\x86.");
}

}  // namespace headrace::http
