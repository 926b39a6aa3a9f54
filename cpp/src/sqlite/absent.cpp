// What a build without SQLite says; nothing else of the part can be reached there.
#include <headrace/sqlite/database.hpp>
#include <headrace/sqlite/lookup.hpp>

namespace headrace::sqlite {
namespace {

failure not_built() {
    return failure::of(errc::feature_not_built,
                       "headrace was built without sqlite: install libsqlite3-dev and rebuild "
                       "with HEADRACE_WITH_SQLITE=ON");
}

}  // namespace

class lookup::connection {};

failure database::open(const std::string&, open_options, database&) {
    return not_built();
}

failure lookup::open(const std::string&, std::string_view, lookup_options, std::shared_ptr<lookup>&) {
    return not_built();
}

failure lookup::find(std::span<const value>, std::vector<found>&) {
    return not_built();
}

lookup::~lookup() = default;

}  // namespace headrace::sqlite
