#include <headrace/batch/item.hpp>
#include <string>

namespace headrace::batch {
namespace {

std::error_code code_of(item_state state) {
    switch (state) {
        case item_state::idle:
        case item_state::waiting:
        case item_state::running:
        case item_state::done: return {};
        case item_state::cancelled: return errc::cancelled;
        case item_state::timed_out: return errc::timed_out;
        case item_state::refused:
        case item_state::dropped: return errc::queue_full;
        case item_state::closed: return errc::closed;
        case item_state::too_heavy: return errc::invalid_argument;
        case item_state::forked: return errc::forked;
    }
    return {};
}

const char* text_of(item_state state) {
    switch (state) {
        case item_state::cancelled: return "the call was cancelled";
        case item_state::timed_out: return "the deadline passed before the batch function answered";
        case item_state::refused: return "the queue is full; slow down, or raise max_queue_size";
        case item_state::dropped: return "the queue was full, and a newer call took the place of this one";
        case item_state::closed: return "submitted after shutdown";
        case item_state::too_heavy: return "the item alone weighs more than max_batch_weight";
        case item_state::forked: return "made before fork(); make a new batcher in the child";
        default: return "decided by the batch function";
    }
}

}  // namespace

std::error_code item::error() const noexcept {
    return code_of(state());
}

failure failure_of(item_state state, const std::string& batcher) {
    const auto code = code_of(state);
    return code ? failure{code, batcher + ": " + text_of(state)} : failure{};
}

}  // namespace headrace::batch
