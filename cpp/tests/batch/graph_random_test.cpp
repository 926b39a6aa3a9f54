// Random graphs that grow, fail, sleep, wait and are cancelled, against the rules that always hold.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "graph_script.hpp"

namespace headrace::batch {
namespace {

using namespace std::chrono_literals;

class random_graph {
public:
    explicit random_graph(unsigned seed) : random_(seed), s_(random_() % 4, random_() % 3 * 50) {}

    void step() {
        s_.now += 10us;
        s_.fsm.expire(s_.now);
        const auto dice = random_() % 10;
        if (dice < 4) {
            add();
        } else if (dice < 6) {
            take();
        } else if (dice < 9) {
            go_on();
        } else if (!names_.empty() && random_() % 4 == 0) {
            s_.fsm.cancel(s_[any()], s_.now);
        }
        collect();
    }

    void finish() {
        for (int rounds = 0; !s_.fsm.idle(); ++rounds) {
            ASSERT_LT(rounds, 10'000) << "stuck";
            s_.now += 1ms;
            s_.fsm.expire(s_.now);
            while (take()) {
            }
            for (const auto& n : std::exchange(running_, {})) s_.end(n);
        }
        collect();
        EXPECT_EQ(told_.size(), names_.size());
        for (const auto& n : names_) {
            ASSERT_TRUE(s_[n].decided()) << n;
            if (s_.state(n) == unit_state::failed) {
                ASSERT_EQ(s_[n].cause()->state(), unit_state::failed);
                ASSERT_NE(s_[n].why().message.find("dice"), std::string::npos);
            }
        }
    }

private:
    const std::string& any() { return names_[random_() % names_.size()]; }

    void add() {
        if (names_.size() == 120) return;
        std::vector<std::string> after;
        for (unsigned k = 0; !names_.empty() && k < random_() % 4; ++k) after.push_back(any());
        const std::string name = "u" + std::to_string(names_.size());
        s_.add(name, after,
               {.body = random_() % 4 != 0,
                .priority = static_cast<std::uint8_t>(random_() % 8),
                .delay = ns{random_() % 3 * 20'000}});
        names_.push_back(name);
    }

    bool take() {
        const std::string n = s_.take();
        if (n.empty()) return false;
        running_.push_back(n);
        if (begun_.insert(n).second) {
            graph_fsm::each_dependency(s_[n], [&](const graph_node& d) {
                EXPECT_EQ(d.state(), unit_state::done) << n << " began before " << d.label();
            });
        }
        return true;
    }

    void go_on() {
        if (running_.empty()) return;
        const auto i = random_() % running_.size();
        const std::string n = running_[i];
        running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
        switch (random_() % 5) {
            case 0: s_.fail(n, "dice"); break;
            case 1: s_.suspend(n, s_[any()]); break;
            case 2: s_.suspend(n, 30us); break;
            default: s_.end(n); break;
        }
    }

    void collect() {
        for (const auto& n : s_.decided()) EXPECT_TRUE(told_.insert(n).second) << n << " was told twice";
    }

    std::mt19937 random_;
    script s_;
    std::vector<std::string> names_, running_;
    std::set<std::string> begun_, told_;
};

TEST(GraphRandom, EveryUnitIsDecidedOnceAndAfterItsDependencies) {
    for (unsigned seed = 1; seed <= 100; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        random_graph g(seed);
        for (int i = 0; i < 400; ++i) g.step();
        g.finish();
        if (HasFailure()) return;
    }
}

}  // namespace
}  // namespace headrace::batch
