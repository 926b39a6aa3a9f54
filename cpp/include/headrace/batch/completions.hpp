// Operations on their way to their executors: grouped, one post for each executor.
//
// A handler that throws does so out of its executor's run(), as Asio has it; the rest of its group is posted again.
// Threads:  pure until post(); the operations complete on their executor.   Errors: none.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <vector>

namespace headrace::batch {

/// An operation, whatever its types.
class completable {
public:
    boost::asio::any_io_executor executor;  // where it completes; counts as work there
    completable* following = nullptr;

    /// Calls the handler, which may throw; the operation is gone before that.
    virtual void complete() = 0;
    /// Without calling the handler: its executor has ended.
    virtual void destroy() noexcept = 0;
    /// Nobody uses the item any more.
    virtual void free() noexcept = 0;

protected:
    ~completable() = default;
};

class completions {
public:
    void add(completable& op);
    void post() noexcept;

private:
    struct group {
        completable* first;
        completable* last;
    };
    std::vector<group> groups_;
};

}  // namespace headrace::batch
