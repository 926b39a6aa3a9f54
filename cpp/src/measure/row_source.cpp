#include <filesystem>
#include <headrace/measure/row_source.hpp>
#include <system_error>

namespace headrace::measure {
namespace {

class csv_cursor final : public row_cursor {
public:
    csv_cursor(const std::string& path, row_kind kind, const row_mark& from) : reader_(path, from), kind_(kind) {}

    row_event next(ledger_row& row) override {
        const csv_event e = reader_.next();
        const csv_row& r = reader_.row();
        row.id = r.id;
        row.kind = kind_;
        row.intended = kind_ == row_kind::sent ? r.first : absent;
        row.first = r.first;
        row.second = r.second;
        row.line = r.line;
        return e;
    }
    const std::string& reason() const override { return reader_.reason(); }
    const failure& error() const override { return reader_.error(); }
    std::optional<row_mark> mark() const override { return reader_.mark(); }

private:
    csv_reader reader_;
    row_kind kind_;
};

}  // namespace

csv_source::csv_source(std::string path, row_kind kind) : path_(std::move(path)), kind_(kind) {
    std::error_code ignored;  // open() reports what is wrong with the file
    const auto size = std::filesystem::file_size(path_, ignored);
    bytes_ = ignored ? 0 : size;
}

std::unique_ptr<row_cursor> csv_source::open(const row_mark& from) const {
    return std::make_unique<csv_cursor>(path_, kind_, from);
}

}  // namespace headrace::measure
