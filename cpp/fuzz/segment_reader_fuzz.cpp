// Segments are read from disks that lie: any bytes must give rows, a torn tail or an error, within their own size.
//
// The first input byte chooses: 0 reads the rest as a whole file; otherwise the rest follows a sound header, so that
// the fuzzer need not guess its checksum, and (from 2 on) the blocks' checksums are made to match.
#include <cstdint>
#include <cstdlib>
#include <headrace/measure/segment_reader.hpp>
#include <string>

namespace {

using namespace headrace::measure;

void require(bool promise) {
    if (!promise) std::abort();
}

std::string with_sound_checksums(std::string_view body, std::size_t record_size) {
    std::string out;
    while (body.size() > 1) {
        const std::size_t rows = static_cast<unsigned char>(body.front()) % 8;
        body.remove_prefix(1);
        const std::string_view records = body.substr(0, rows * record_size);
        char header[segment_block_header];
        encode_block_header(records, static_cast<std::uint32_t>(rows), header);
        out.append(header, sizeof header).append(records);
        body.remove_prefix(records.size());
    }
    return out;
}

std::string make_file(const std::uint8_t* data, std::size_t size) {
    const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] == 0) return std::string(rest);
    const auto kind = data[0] % 2 == 0 ? row_kind::sent : row_kind::received;
    const auto header = make_segment_header(kind, detail_level::full, "fuzz", {}, 1024);
    return encode_segment_header(header) +
           (data[0] == 1 ? std::string(rest) : with_sound_checksums(rest, header.record_size));
}

template <class Row>
std::uint64_t read_rows(const std::string& file) {
    segment_reader r;
    if (r.open_bytes(file)) return 0;
    std::uint64_t n = 0;
    for (Row row; r.next(row); ++n) require(row.id.size() <= 40);
    require(r.bytes() + r.torn_bytes() <= file.size());
    require(n <= file.size());
    return n;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string file = make_file(data, size);
    const auto sent = read_rows<sent_row>(file);
    const auto received = read_rows<received_row>(file);
    require(sent == 0 || received == 0);
    return 0;
}
