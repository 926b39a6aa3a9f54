#include <pthread.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <ctime>
#include <headrace/base/mutex.hpp>
#include <headrace/base/thread_setup.hpp>
#include <headrace/net/runtime.hpp>
#include <stdexcept>
#include <thread>

namespace headrace::net {
namespace {

mutex shared_mutex;
std::shared_ptr<runtime> shared_runtime HEADRACE_GUARDED_BY(shared_mutex);

}  // namespace

struct io_thread::impl {
    explicit impl(std::string thread_name) : name(std::move(thread_name)) {
        thread = std::thread([this] {
            set_up_thread(name);
            context.run();
            if (orphaned) delete this;
        });
        pthread_getcpuclockid(thread.native_handle(), &cpu_clock);
        id = thread.get_id();
    }

    std::string name;
    boost::asio::io_context context{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{context.get_executor()};
    std::thread thread;
    std::thread::id id;
    clockid_t cpu_clock{};
    ns final_cpu{0};
    bool orphaned = false;  // this thread's: its owner ended on it
};

io_thread::io_thread(std::string name) : impl_(std::make_unique<impl>(std::move(name))) {}
io_thread::~io_thread() {
    const bool own = running_here();
    stop();
    // A handler on this very thread dropped the last reference: the loop is still on the stack, so the thread ends it.
    if (own) impl_.release()->orphaned = true;
}

boost::asio::io_context& io_thread::context() noexcept {
    return impl_->context;
}
bool io_thread::running_here() const noexcept {
    return std::this_thread::get_id() == impl_->id;
}

ns io_thread::cpu_time() const noexcept {
    timespec t{};
    if (!impl_->thread.joinable() || ::clock_gettime(impl_->cpu_clock, &t) != 0) return impl_->final_cpu;
    return std::chrono::seconds{t.tv_sec} + ns{t.tv_nsec};
}

void io_thread::stop() {
    if (!impl_->thread.joinable()) return;
    const ns used = cpu_time();
    impl_->context.stop();
    if (running_here()) {
        impl_->thread.detach();  // nobody can join itself
    } else {
        impl_->thread.join();
    }
    impl_->final_cpu = used;
}

runtime::runtime(runtime_options options) : pid_(::getpid()) {
    if (options.io_threads == 0) throw std::invalid_argument("runtime: io_threads must be at least 1");
    threads_.reserve(options.io_threads);
    for (std::size_t i = 0; i < options.io_threads; ++i) {
        threads_.push_back(std::make_unique<io_thread>("headrace-io" + std::to_string(i)));
    }
}

runtime::~runtime() {
    if (!forked()) {
        stop();
        return;
    }
    // The child has none of the parent's threads; joining or destroying their loops would hang or crash.
    for (auto& thread : threads_) static_cast<void>(thread.release());
}

std::shared_ptr<runtime> runtime::shared() {
    lock_guard hold(shared_mutex);
    if (!shared_runtime || shared_runtime->forked()) shared_runtime = std::make_shared<runtime>();
    return shared_runtime;
}

void runtime::stop_shared() {
    std::shared_ptr<runtime> last;
    {
        lock_guard hold(shared_mutex);
        last.swap(shared_runtime);
    }
    if (last && !last->forked()) last->stop();
}

io_thread& runtime::next() {
    return thread(turn_++);
}
bool runtime::forked() const noexcept {
    return ::getpid() != pid_;
}

void runtime::stop() {
    for (auto& thread : threads_) thread->stop();
}

}  // namespace headrace::net
