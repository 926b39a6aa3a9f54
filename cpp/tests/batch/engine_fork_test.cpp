#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "echo.hpp"

namespace headrace::batch {
namespace {

/// 0 when all is as promised, else which promise was broken.
int in_the_child(std::unique_ptr<engine> parents, counting_sink& sink, call& pending) {
    call c;
    c.sink = &sink;
    parents->submit(c);
    if (c.state() != item_state::forked || c.delivered != 1) return 1;
    if (parents->cancel(pending) || !parents->closed() || !parents->wait_stopped()) return 2;
    if (parents->configure({}).code != errc::forked) return 3;
    parents.reset();  // waits for nobody
    engine own({}, std::make_shared<echo>());
    call fine;
    fine.sink = &sink;
    fine.request = 5;
    own.submit(fine);
    fine.wait();
    return fine.result == 5 ? 0 : 4;
}

TEST(Engine, ChildOfAForkIsRefusedAndMakesItsOwn) {
    blocked_function blocked;
    counting_sink sink;
    call running, after;
    running.sink = after.sink = &sink;
    const auto pool = std::make_shared<exec::thread_pool>(exec::thread_pool_options{.threads = 1});
    auto parents = std::make_unique<engine>(batch_options{}, blocked.function, pool);
    parents->submit(running);
    blocked.begun.wait();
    const pid_t child = ::fork();
    if (child == 0) ::_exit(in_the_child(std::move(parents), sink, running));
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    blocked.open.count_down();
    parents->submit(after);
    after.wait();
    EXPECT_EQ(after.result, 0) << "the parent's engine goes on";
    parents->shutdown(stop_mode::drain);
    EXPECT_TRUE(parents->wait_stopped());
}

}  // namespace
}  // namespace headrace::batch
