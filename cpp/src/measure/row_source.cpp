#include <algorithm>
#include <filesystem>
#include <fstream>
#include <headrace/measure/fold_id.hpp>
#include <headrace/measure/row_source.hpp>
#include <headrace/measure/segment_reader.hpp>
#include <system_error>

namespace headrace::measure {
namespace {

/// 0 when the file cannot be asked; opening it says why.
std::uint64_t size_of(const std::string& path) {
    std::error_code e;
    const auto size = std::filesystem::file_size(path, e);
    return e ? 0 : size;
}

class csv_cursor final : public row_cursor {
public:
    csv_cursor(const std::string& path, row_kind kind, bool fold, const row_mark& from)
        : reader_(path, from), kind_(kind), fold_(fold) {}

    row_event next(ledger_row& row) override {
        const csv_event e = reader_.next(row);
        row.kind = kind_;
        row.intended = kind_ == row_kind::sent ? row.first : absent;
        if (fold_ && e == csv_event::row && needs_folding(row.id)) {
            key_ = fold_long_id(row.id);
            row.id = id_of(key_.data());
        }
        return e;
    }
    const std::string& reason() const override { return reader_.reason(); }
    const failure& error() const override { return reader_.error(); }
    std::optional<row_mark> mark() const override { return reader_.mark(); }

private:
    csv_reader reader_;
    row_kind kind_;
    bool fold_;
    id_key key_{};
};

class segment_cursor final : public row_cursor {
public:
    segment_cursor(const std::string& path, bool to_epoch) : to_epoch_(to_epoch) { error_ = reader_.open(path); }

    row_event next(ledger_row& row) override {
        if (error_) return row_event::failed;
        row = {};
        row.kind = reader_.header().kind;
        row.line = ++records_;
        if (row.kind == row_kind::sent ? next_sent(row) : next_received(row)) return row_event::row;
        error_ = reader_.why();
        if (error_) return row_event::failed;
        if (!reader_.torn() || torn_is_told_) return row_event::end;
        torn_is_told_ = true;
        reason_ = "is a torn block of " + std::to_string(reader_.torn_bytes()) + " bytes at the end";
        return row_event::torn;
    }
    const std::string& reason() const override { return reason_; }
    const failure& error() const override { return error_; }
    std::optional<row_mark> mark() const override { return std::nullopt; }

private:
    std::int64_t time(std::int64_t t) const noexcept {
        return t == absent || !to_epoch_ ? t : reader_.header().anchor.to_epoch(ns{t}).count();
    }

    bool next_sent(ledger_row& row) {
        sent_row r;
        if (!reader_.next(r)) return false;
        row.id = r.id;
        row.intended = time(r.intended);
        row.first = time(r.sent);
        row.second = time(r.acked);
        row.size = r.size;
        row.worker = r.worker;
        row.attempts = r.attempts;
        row.error = r.error;
        return true;
    }

    bool next_received(ledger_row& row) {
        received_row r;
        if (!reader_.next(r)) return false;
        row.id = r.id;
        row.first = time(r.received);
        row.second = time(r.receive_acked);
        row.size = r.size;
        row.worker = r.worker;
        row.redelivered = r.redelivered != 0;
        row.error = r.error;
        return true;
    }

    segment_reader reader_;
    bool to_epoch_;
    bool torn_is_told_ = false;
    std::uint64_t records_ = 0;
    std::string reason_;
    failure error_;
};

}  // namespace

csv_source::csv_source(std::string path, row_kind kind, bool fold)
    : path_(std::move(path)), kind_(kind), fold_(fold), bytes_(size_of(path_)) {}

std::unique_ptr<row_cursor> csv_source::open(const row_mark& from) const {
    return std::make_unique<csv_cursor>(path_, kind_, fold_, from);
}

segment_source::segment_source(std::string path, bool to_epoch)
    : path_(std::move(path)), to_epoch_(to_epoch), bytes_(size_of(path_)) {}

std::unique_ptr<row_cursor> segment_source::open(const row_mark&) const {
    return std::make_unique<segment_cursor>(path_, to_epoch_);
}

bool is_segment(const std::string& path) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored)) return false;
    std::string head(segment_prologue, '\0');
    std::ifstream file(path, std::ios::binary);
    file.read(head.data(), static_cast<std::streamsize>(head.size()));
    return file.gcount() == static_cast<std::streamsize>(head.size()) && segment_header_size(head) != 0;
}

namespace {

failure segment_holds(const std::string& path, row_kind kind) {
    segment_reader reader;
    if (failure f = reader.open(path)) return f;
    if (reader.header().kind == kind) return {};
    return failure::of(errc::invalid_argument, path + ": is a segment of " + name_of(reader.header().kind) +
                                                   " messages; expected " + name_of(kind) + " ones");
}

}  // namespace

failure make_sources(const std::vector<std::string>& producers, const std::vector<std::string>& consumers, bool epoch,
                     std::vector<std::unique_ptr<row_source>>& out) {
    const auto segments = static_cast<std::size_t>(std::count_if(producers.begin(), producers.end(), is_segment) +
                                                   std::count_if(consumers.begin(), consumers.end(), is_segment));
    const bool fold = segments != 0;
    epoch |= segments != producers.size() + consumers.size();
    for (const row_kind kind : {row_kind::sent, row_kind::received}) {
        for (const std::string& path : kind == row_kind::sent ? producers : consumers) {
            std::error_code ignored;
            if (!std::filesystem::exists(path, ignored)) return failure::of(errc::not_found, path + ": no such file");
            if (!is_segment(path)) {
                out.push_back(std::make_unique<csv_source>(path, kind, fold));
                continue;
            }
            if (failure f = segment_holds(path, kind)) return f;
            out.push_back(std::make_unique<segment_source>(path, epoch));
        }
    }
    return {};
}

}  // namespace headrace::measure
