// An engine that the graphs whose units use it can tell to send what waits.
//
// Threads:  flush_held() from any thread; the rest as the engine.
// Lifetime: graphs keep `flush`, which does nothing once the engine is gone.
#pragma once

#include <headrace/batch/engine.hpp>
#include <headrace/batch/graph_core.hpp>
#include <memory>

namespace headrace::bindings {

struct graph_engine {
    std::shared_ptr<batch::engine> engine;
    std::shared_ptr<batch::flushable> flush;

    graph_engine() noexcept = default;
    graph_engine(const batch::batch_options& options, std::shared_ptr<batch::batch_function> function)
        : engine(std::make_shared<batch::engine>(options, std::move(function))),
          flush(std::make_shared<link>(engine)) {}

    /// In a forked child: never destroyed.
    void leak() noexcept { static_cast<void>(new std::shared_ptr<batch::engine>(std::move(engine))); }

private:
    class link final : public batch::flushable {
    public:
        explicit link(std::weak_ptr<batch::engine> engine) noexcept : engine_(std::move(engine)) {}
        void flush_held(bool) noexcept override {
            if (const auto e = engine_.lock()) e->flush();
        }

    private:
        const std::weak_ptr<batch::engine> engine_;
    };
};

}  // namespace headrace::bindings
