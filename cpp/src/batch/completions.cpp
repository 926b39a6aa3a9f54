#include <headrace/batch/completions.hpp>

#include <boost/asio/post.hpp>
#include <utility>

namespace headrace::batch {
namespace {

/// Completes a chain on its executor; what the executor never runs is destroyed with it.
class chain_completion {
public:
    explicit chain_completion(completable* first) noexcept : first_(first) {}
    chain_completion(chain_completion&& other) noexcept : first_(std::exchange(other.first_, nullptr)) {}
    chain_completion& operator=(chain_completion&&) = delete;
    ~chain_completion() {
        while (first_ != nullptr) std::exchange(first_, first_->following)->destroy();
    }

    void operator()() {
        while (first_ != nullptr) {
            completable* const op = std::exchange(first_, first_->following);
            try {
                op->complete();
            } catch (...) {
                if (first_ != nullptr) {
                    const auto executor = first_->executor;
                    boost::asio::post(executor, std::move(*this));
                }
                throw;
            }
        }
    }

private:
    completable* first_;
};

}  // namespace

void completions::add(completable& op) {
    op.following = nullptr;
    for (auto at = groups_.rbegin(); at != groups_.rend(); ++at) {
        if (at->first->executor != op.executor) continue;
        at->last = at->last->following = &op;
        return;
    }
    groups_.push_back({&op, &op});
}

void completions::post() noexcept {
    for (const group& g : groups_) {
        const auto executor = g.first->executor;
        boost::asio::post(executor, chain_completion(g.first));
    }
    groups_.clear();
}

}  // namespace headrace::batch
