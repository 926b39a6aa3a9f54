// A file that is there whole or not at all: written under a temporary name beside its own, renamed by commit().
//
// Threads:  one at a time.   Errors: failure; the first one stays (sticky) and commit() then refuses.
// Stop:     the destructor removes what was not committed.
#pragma once

#include <cstddef>
#include <headrace/base/error.hpp>
#include <string>
#include <string_view>

namespace headrace::measure {

class out_file {
public:
    explicit out_file(std::string path);
    ~out_file();
    out_file(const out_file&) = delete;
    out_file& operator=(const out_file&) = delete;

    failure open();
    failure write(std::string_view bytes);
    /// Closes and renames; replaces a file that was there before.
    failure commit();
    const std::string& path() const noexcept { return path_; }

private:
    failure fail(const char* what);

    std::string path_;
    std::string partial_;
    int fd_ = -1;
    failure error_;
};

}  // namespace headrace::measure
