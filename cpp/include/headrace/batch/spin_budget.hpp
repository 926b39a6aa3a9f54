// Whether looking on for a while is worth it: yes while it finds work, then only now and again.
// Threads:  pure; one at a time.
#pragma once

namespace headrace::batch {

class spin_budget {
public:
    bool worth_it() noexcept { return score_ > 0 || ++skipped_ % 32 == 0; }
    void found_work(bool found) noexcept {
        if (found) {
            score_ = score_ < most ? score_ + 1 : most;
        } else {
            score_ = score_ > 2 ? score_ - 2 : 0;
        }
    }

private:
    static constexpr int most = 16;
    int score_ = most;
    unsigned skipped_ = 0;
};

}  // namespace headrace::batch
