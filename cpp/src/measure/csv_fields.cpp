#include <headrace/measure/csv_fields.hpp>

#include <algorithm>

namespace headrace::measure {
namespace {

bool space(char c) noexcept {
    return c == ' ' || c == '\t';
}

std::string_view trim(std::string_view s) noexcept {
    while (!s.empty() && (space(s.back()) || s.back() == '\r')) s.remove_suffix(1);
    while (!s.empty() && space(s.front())) s.remove_prefix(1);
    return s;
}

class cutter {
public:
    cutter(std::string_view data, bool last) : data_(data), last_(last) {}

    csv_cut run() noexcept {
        do {
            csv_field f;
            if (!field(f)) return out_;
            keep(f);
        } while (comma());
        out_.count = std::max<std::size_t>(used_, 1);
        out_.bytes = at_;
        return out_;
    }

private:
    void keep(const csv_field& f) noexcept {
        if (seen_ < csv_cut::most_fields) out_.fields[seen_] = f;
        ++seen_;
        if (!f.blank()) used_ = seen_;
    }

    bool stop(csv_split s) noexcept {
        out_.status = s;
        return false;
    }

    bool field(csv_field& f) noexcept {
        std::size_t p = at_;
        while (p < data_.size() && space(data_[p])) ++p;
        if (p < data_.size() && data_[p] == '"') return quoted(f, p + 1);
        std::size_t end = p;
        while (end < data_.size() && data_[end] != ',' && data_[end] != '\n') ++end;
        if (end == data_.size() && !last_) return stop(csv_split::need_more);
        f.text = trim(data_.substr(at_, end - at_));
        out_.ended = end == data_.size() && end > at_ && data_[end - 1] == '\r';
        at_ = end;
        return true;
    }

    bool quoted(csv_field& f, std::size_t begin) noexcept {
        f.quoted = true;
        std::size_t q = data_.find('"', begin);
        while (q != std::string_view::npos && q + 1 < data_.size() && data_[q + 1] == '"') {
            f.doubled = true;
            q = data_.find('"', q + 2);
        }
        if (q == std::string_view::npos) return stop(last_ ? csv_split::open_quote : csv_split::need_more);
        f.text = data_.substr(begin, q - begin);
        out_.newlines += static_cast<std::uint64_t>(std::count(f.text.begin(), f.text.end(), '\n'));
        std::size_t p = q + 1;
        while (p < data_.size() && (space(data_[p]) || data_[p] == '\r')) ++p;
        if (p == data_.size() && !last_) return stop(csv_split::need_more);
        if (p < data_.size() && data_[p] != ',' && data_[p] != '\n') return stop(csv_split::after_quote);
        out_.ended = p == data_.size() && data_[p - 1] == '\r';
        at_ = p;
        return true;
    }

    /// Steps over what closed a field; true when another field follows.
    bool comma() noexcept {
        if (at_ == data_.size()) return false;
        if (data_[at_++] == ',') return true;
        out_.ended = true;
        ++out_.newlines;
        return false;
    }

    std::string_view data_;
    bool last_;
    std::size_t at_ = 0;
    std::size_t seen_ = 0;
    std::size_t used_ = 0;
    csv_cut out_;
};

}  // namespace

csv_cut cut_row(std::string_view data, bool last) noexcept {
    return cutter(data, last).run();
}

void unquote(std::string_view text, std::string& out) {
    out.clear();
    for (std::size_t i = 0; i < text.size(); ++i) {
        out.push_back(text[i]);
        if (text[i] == '"') ++i;
    }
}

}  // namespace headrace::measure
