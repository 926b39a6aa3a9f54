#include "http_rows.hpp"

#include <headrace/measure/text.hpp>

namespace headrace::load {
namespace {

constexpr std::size_t chunk_bytes = 256 * 1024;

}  // namespace

void http_rows::write(const http_tally::exchange& e, std::string_view how, std::string_view url) {
    measure::append_seconds(chunk_, anchor_.to_epoch(e.intended).count());
    chunk_ += ',';
    measure::append_seconds(chunk_, anchor_.to_epoch(e.sent).count());
    chunk_ += ',';
    if (e.end != ns::min()) measure::append_seconds(chunk_, anchor_.to_epoch(e.end).count());
    chunk_ += ',';
    if (e.status != 0) measure::append_number(chunk_, e.status);
    chunk_ += ',';
    measure::append_number(chunk_, e.bytes);
    chunk_.append(1, ',').append(how).append(1, ',');
    measure::append_field(chunk_, url);
    chunk_ += '\n';
    if (chunk_.size() >= chunk_bytes) flush();
}

void http_rows::flush() {
    if (out_ == nullptr || chunk_.empty()) return;
    out_->push(std::move(chunk_));
    chunk_ = out_->recycle();
}

}  // namespace headrace::load
