// headrace._core.measure.SegmentReader, SegmentWriter, fold_id
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstring>
#include <headrace/measure/fold_id.hpp>
#include <headrace/measure/segment_reader.hpp>
#include <headrace/measure/segment_writer.hpp>
#include <optional>
#include <vector>

#include "errors.hpp"
#include "guarded.hpp"
#include "register_measure.hpp"

namespace headrace::bindings {
namespace {

namespace mm = measure;

/// One field of many rows, contiguous.
struct column {
    mm::segment_field field;
    std::vector<char> bytes;
};

struct table {
    std::vector<column> columns;
    std::size_t rows = 0;
    failure bad;
};

template <std::size_t Width>
void copy_field(const mm::segment_rows& block, std::size_t stride, std::size_t offset, char* to) {
    const char* from = block.records.data() + offset;
    for (std::size_t i = 0; i < block.count; ++i) std::memcpy(to + i * Width, from + i * stride, Width);
}

void append_field(const mm::segment_rows& block, std::size_t stride, column& c) {
    const std::size_t width = c.field.width();
    const std::size_t before = c.bytes.size();
    c.bytes.resize(before + block.count * width);
    char* to = c.bytes.data() + before;
    switch (width) {
        case 2: return copy_field<2>(block, stride, c.field.offset, to);
        case 4: return copy_field<4>(block, stride, c.field.offset, to);
        case 8: return copy_field<8>(block, stride, c.field.offset, to);
        case mm::id_width: return copy_field<mm::id_width>(block, stride, c.field.offset, to);
        default: break;
    }
    const char* from = block.records.data() + c.field.offset;
    for (std::size_t i = 0; i < block.count; ++i) std::memcpy(to + i * width, from + i * stride, width);
}

/// Whole blocks until at least `limit` rows are there.
table read_table(mm::segment_reader& reader, std::size_t limit) {
    table t;
    const auto& header = reader.header();
    const std::size_t expected = std::min<std::size_t>(limit, reader.max_rows());
    for (const auto& field : header.fields) {
        t.columns.push_back({field, {}});
        t.columns.back().bytes.reserve(expected * field.width());
    }
    for (mm::segment_rows block; t.rows < limit && reader.next_block(block);) {
        for (auto& c : t.columns) append_field(block, header.record_size, c);
        t.rows += block.count;
    }
    t.bad = reader.why();
    return t;
}

/// The bytes move into the array: nothing is copied.
py::array to_array(column&& c, std::size_t rows) {
    auto* owner = new std::vector<char>(std::move(c.bytes));
    const py::capsule free(owner, [](void* p) { delete static_cast<std::vector<char>*>(p); });
    const py::dtype type(c.field.type);
    return py::array(type, {rows}, {c.field.width()}, owner->data(), free);
}

/// Opens in the constructor, so that a reader always has a header.
struct reader_state {
    explicit reader_state(const std::string& path) : bad(reader.open(path)) {}
    mm::segment_reader reader;
    failure bad;
};
using shared_reader = guarded<reader_state>;

std::unique_ptr<shared_reader> open_reader(const std::string& path) {
    auto r = std::make_unique<shared_reader>(path);
    throw_if(r->use([](const reader_state& s) { return s.bad; }));
    return r;
}

py::dict read(const shared_reader& r, std::optional<std::size_t> limit) {
    table t =
        r.use([&](reader_state& s) { return read_table(s.reader, limit.value_or(static_cast<std::size_t>(-1))); });
    if (t.rows == 0) throw_if(t.bad);
    py::dict out;
    for (auto& c : t.columns) out[py::str(c.field.name)] = to_array(std::move(c), t.rows);
    return out;
}

py::object header_dict(const shared_reader& r) {
    const std::string text = r.use([](const reader_state& s) { return s.reader.header().json; });
    const auto loads = py::module_::import("json").attr("loads");
    return loads(py::bytes(text).attr("decode")("utf-8", "replace"));
}

template <auto Getter>
auto get(const shared_reader& r) {
    return r.use([](const reader_state& s) { return (s.reader.*Getter)(); });
}

py::object damage(const shared_reader& r) {
    const failure f = r.use([](const reader_state& s) { return s.reader.why(); });
    return f ? py::object(py::str(f.message)) : py::none();
}

using shared_writer = guarded<mm::segment_writer>;

mm::row_kind to_kind(const std::string& name) {
    if (name == "sent") return mm::row_kind::sent;
    if (name == "received") return mm::row_kind::received;
    throw failure_error(
        failure::of(errc::invalid_argument, "kind must be \"sent\" or \"received\", not \"" + name + '"'));
}

mm::detail_level to_detail(const std::string& name) {
    if (name == "full") return mm::detail_level::full;
    if (name == "ledger") return mm::detail_level::ledger;
    throw failure_error(
        failure::of(errc::invalid_argument, "detail must be \"full\" or \"ledger\", not \"" + name + '"'));
}

std::unique_ptr<shared_writer> open_writer(const std::string& path, const std::string& kind, const std::string& program,
                                           const std::string& detail,
                                           std::optional<std::pair<std::int64_t, std::int64_t>> anchor) {
    const auto now = anchor ? clock_anchor{ns{anchor->first}, ns{anchor->second}} : clock_anchor::now();
    const mm::segment_options options{
        .path = path, .kind = to_kind(kind), .detail = to_detail(detail), .program = program, .anchor = now};
    auto w = std::make_unique<shared_writer>();
    throw_if(w->use([&](mm::segment_writer& to) { return to.open(options); }));
    return w;
}

/// A row of the wrong kind is refused here, so that the mistake does not end the segment.
template <class Row>
void record(const shared_writer& w, mm::row_kind kind, const Row& row) {
    throw_if(w.use([&](mm::segment_writer& to) {
        if (to.kind() != kind) {
            return failure::of(errc::invalid_argument, to.path() + ": takes " + mm::name_of(to.kind()) + " rows only");
        }
        to.record(row);
        return to.why();
    }));
}

void write_sent(const shared_writer& w, std::string_view id, std::optional<std::int64_t> intended,
                std::optional<std::int64_t> sent, std::optional<std::int64_t> acked, std::uint32_t size,
                std::uint16_t worker, std::uint16_t attempts, std::int32_t error) {
    record(w, mm::row_kind::sent,
           mm::sent_row{.id = id,
                        .intended = intended.value_or(mm::absent),
                        .sent = sent.value_or(mm::absent),
                        .acked = acked.value_or(mm::absent),
                        .size = size,
                        .worker = worker,
                        .attempts = attempts,
                        .error = error});
}

void write_received(const shared_writer& w, std::string_view id, std::optional<std::int64_t> received,
                    std::optional<std::int64_t> receive_acked, std::uint32_t size, std::uint16_t worker,
                    bool redelivered, std::int32_t error) {
    record(w, mm::row_kind::received,
           mm::received_row{.id = id,
                            .received = received.value_or(mm::absent),
                            .receive_acked = receive_acked.value_or(mm::absent),
                            .size = size,
                            .worker = worker,
                            .redelivered = static_cast<std::uint16_t>(redelivered),
                            .error = error});
}

void flush(const shared_writer& w) {
    throw_if(w.use([](mm::segment_writer& to) {
        to.flush();
        return to.why();
    }));
}

void close(const shared_writer& w) {
    throw_if(w.use([](mm::segment_writer& to) { return to.close(); }));
}

py::object fold(const py::object& id) {
    const bool text = py::isinstance<py::str>(id);
    if (!text && !py::isinstance<py::bytes>(id)) throw py::type_error("id must be str or bytes");
    const py::bytes bytes = text ? py::bytes(id.attr("encode")("utf-8", "surrogateescape")) : id.cast<py::bytes>();
    const auto key = mm::fold_id(std::string_view(bytes));
    const py::bytes folded{std::string(mm::id_of(key.data()))};
    return text ? folded.attr("decode")("utf-8", "surrogateescape") : py::object(folded);
}

void register_reader(py::module_& m) {
    py::classh<shared_reader>(
        m, "SegmentReader",
        "Reads the rows that a recorder appended, also when it was killed.\n\n"
        "A torn last block is dropped (torn, torn_bytes). Damage with more data behind it raises IoError\n"
        "with its offset, after the rows before it were read. Absent times are the smallest int64.")
        .def(py::init(&open_reader), py::arg("path"), "NotFound, or IoError when it is not a segment.")
        .def_property_readonly("header", &header_dict,
                               "The JSON header: kind, detail, program, clock_anchor, fields, record_size.")
        .def("read", &read, py::arg("limit") = py::none(),
             "The next rows as {field: array of shape (rows,)}, ids as S40; all that are left, or whole blocks until "
             "at\n"
             "least `limit` rows are there. Empty arrays at the end. Reads without the GIL.")
        .def_property_readonly(
            "kind",
            [](const shared_reader& r) {
                return r.use([](const reader_state& s) { return std::string(mm::name_of(s.reader.header().kind)); });
            },
            "\"sent\" or \"received\".")
        .def_property_readonly("torn", &get<&mm::segment_reader::torn>, "A torn tail was dropped.")
        .def_property_readonly("torn_bytes", &get<&mm::segment_reader::torn_bytes>, "Bytes of the torn tail.")
        .def_property_readonly("rows", &get<&mm::segment_reader::rows>, "Rows read so far.")
        .def_property_readonly("bytes", &get<&mm::segment_reader::bytes>, "Bytes of the file read so far.")
        .def_property_readonly("size", &get<&mm::segment_reader::size>, "Bytes of the file without its torn tail.")
        .def_property_readonly("damage", &damage, "What is damaged and where, or None.");
}

void register_writer(py::module_& m) {
    py::classh<shared_writer>(m, "SegmentWriter",
                              "Appends rows to a segment. What flush() has written survives a killed process.\n\n"
                              "For programs that record from Python; the native loops write segments of their own.")
        .def(py::init(&open_writer), py::arg("path"), py::arg("kind"), py::kw_only(), py::arg("program") = "",
             py::arg("detail") = "full", py::arg("anchor") = py::none(),
             "Creates `path`; a file that exists is refused with IoError. `anchor` is (monotonic_ns, epoch_ns), now by "
             "default.")
        .def("sent", &write_sent, py::arg("id"), py::kw_only(), py::arg("intended") = py::none(),
             py::arg("sent") = py::none(), py::arg("acked") = py::none(), py::arg("size") = 0, py::arg("worker") = 0,
             py::arg("attempts") = 1, py::arg("error") = 0, "Records a sent item; times are monotonic ns or None.")
        .def("received", &write_received, py::arg("id"), py::kw_only(), py::arg("received") = py::none(),
             py::arg("receive_acked") = py::none(), py::arg("size") = 0, py::arg("worker") = 0,
             py::arg("redelivered") = false, py::arg("error") = 0,
             "Records a received item; times are monotonic ns or None.")
        .def("flush", &flush, "Writes what is buffered as one block.")
        .def("close", &close, "Writes what is buffered and closes the file. Idempotent.")
        .def("__enter__", [](py::object self) { return self; })
        .def("__exit__", [](const shared_writer& w, const py::args&) { close(w); });
}

}  // namespace

void register_segments(py::module_& m) {
    register_reader(m);
    register_writer(m);
    m.def("fold_id", &fold, py::arg("id"),
          "The id as recorded rows keep it: unchanged up to 40 bytes, else its first 7 bytes, '~' and the XXH3-128 in "
          "hex.\n"
          "str gives str, bytes gives bytes.");
}

}  // namespace headrace::bindings
