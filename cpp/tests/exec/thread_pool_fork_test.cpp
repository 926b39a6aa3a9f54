#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <headrace/exec/thread_pool.hpp>

#include "scripted_task.hpp"

namespace headrace::exec {
namespace {

/// 0 when all is as promised, else which promise was broken.
int in_the_child(std::unique_ptr<thread_pool> parents, const std::shared_ptr<thread_pool>& parents_shared) {
    scripted_task refused, fine;
    if (parents->submit(refused).code != errc::forked) return 1;
    if (!parents->closed() || !parents->shutdown(stop_mode::drain)) return 2;
    parents.reset();  // joins nothing
    const auto own = thread_pool::shared();
    if (own == parents_shared || own->submit(fine)) return 3;
    fine.wait();
    return fine.runs == 1 ? 0 : 4;
}

TEST(ThreadPool, ChildOfAForkIsRefusedAndGetsASharedPoolOfItsOwn) {
    auto pool = std::make_unique<thread_pool>(thread_pool_options{.threads = 2});
    const auto shared = thread_pool::shared();
    scripted_task before;
    ASSERT_FALSE(pool->submit(before));
    before.wait();
    const pid_t child = ::fork();
    if (child == 0) ::_exit(in_the_child(std::move(pool), shared));
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    scripted_task after;
    EXPECT_FALSE(pool->submit(after)) << "the parent's pool goes on";
    after.wait();
    EXPECT_TRUE(thread_pool::stop_shared());
}

}  // namespace
}  // namespace headrace::exec
