#include <algorithm>
#include <headrace/measure/csv_writer.hpp>

namespace headrace::measure {

csv_writer::csv_writer(chunk_writer& out, const csv_options& options)
    : out_(out), options_(options), to_epoch_((options.anchor.epoch - options.anchor.monotonic).count()) {}

csv_writer::~csv_writer() {
    flush();
}

void csv_writer::write(std::string_view id, std::int64_t first, std::int64_t second) {
    const std::size_t room = max_id_text(id) + 2 * max_time_text + 3;
    if (chunk_.size() - used_ < room) begin_chunk(room);
    char* const start = chunk_.data() + used_;
    char* at = write_id(id, start);
    *at++ = ',';
    if (first != absent) at = write_epoch(first + to_epoch_, at);
    *at++ = ',';
    if (second != absent) at = write_epoch(second + to_epoch_, at);
    *at++ = '\n';
    used_ += static_cast<std::size_t>(at - start);
    ++rows_;
    ++chunk_rows_;
}

void csv_writer::begin_chunk(std::size_t room) {
    hand_over();
    chunk_ = out_.recycle();
    chunk_.resize(std::max({chunk_.capacity(), options_.chunk_bytes, room}));
}

void csv_writer::hand_over() {
    if (used_ == 0) return;
    chunk_.resize(used_);
    if (!out_.push(std::move(chunk_))) dropped_ += chunk_rows_;
    chunk_ = {};
    used_ = 0;
    chunk_rows_ = 0;
}

std::error_code csv_writer::flush() {
    hand_over();
    return error();
}

}  // namespace headrace::measure
