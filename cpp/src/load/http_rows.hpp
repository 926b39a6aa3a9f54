// A row of CSV per request: intended,sent,ended,status,bytes,outcome,url. Times are epoch seconds.
// Threads:  one at a time.   Lifetime: the chunk_writer outlives it.   Errors: the chunk_writer's.
// Stop:     flush() hands over what is buffered.
#pragma once

#include <headrace/load/http_tally.hpp>
#include <headrace/measure/chunk_writer.hpp>
#include <string>

namespace headrace::load {

class http_rows {
public:
    http_rows(measure::chunk_writer* out, clock_anchor anchor) : out_(out), anchor_(anchor) {}

    static constexpr std::string_view heading = "intended,sent,ended,status,bytes,outcome,url\n";
    void record(const http_tally::exchange& e, std::string_view url) {
        if (out_ != nullptr) write(e, name_of(e.how), url);
    }
    /// One that never ended.
    void record_unfinished(ns intended, ns sent, std::string_view url) {
        if (out_ != nullptr) write({.intended = intended, .sent = sent, .end = ns::min()}, "unfinished", url);
    }
    void flush();

private:
    void write(const http_tally::exchange& e, std::string_view how, std::string_view url);

    measure::chunk_writer* out_;
    clock_anchor anchor_;
    std::string chunk_;
};

}  // namespace headrace::load
