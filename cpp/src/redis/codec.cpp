#include <hiredis.h>
#include <sds.h>

#include <algorithm>
#include <charconv>
#include <headrace/redis/codec.hpp>
#include <vector>

namespace headrace::redis {
namespace {

// redisReader moves its remaining input after each KiB that it consumed, so large pieces would cost quadratic time.
constexpr std::size_t slice_bytes = 16 * 1024;

}  // namespace

struct decoder::state {
    redisReader* reader = nullptr;
    redisReplyObjectFunctions functions{};
    reply_source* replies = nullptr;
    reply_visitor* visitor = nullptr;  // of the reply being read; asked for when its first byte is decoded
    bool unexpected = false;

    static state& of(const redisReadTask* task) { return *static_cast<state*>(task->privdata); }

    reply_visitor* current() {
        if (visitor == nullptr) {
            visitor = replies->next_reply();
            if (visitor == nullptr) {
                unexpected = true;
            } else {
                visitor->begin();
            }
        }
        return visitor;
    }

    // Any non-null pointer is an object to hiredis; there is nothing behind ours.
    void* token() { return unexpected ? nullptr : this; }

    static void* on_string(const redisReadTask* task, char* text, std::size_t size) {
        state& self = of(task);
        if (auto* v = self.current()) {
            const std::string_view view(text, size);
            if (task->type == REDIS_REPLY_ERROR) {
                v->error(view);
            } else if (task->type == REDIS_REPLY_STATUS) {
                v->status(view);
            } else {
                v->string(view);
            }
        }
        return self.token();
    }

    // hiredis 0.14 says int, 1.x says size_t.
    template <class Count>
    static void* on_array(const redisReadTask* task, Count elements) {
        state& self = of(task);
        if (auto* v = self.current()) v->array(static_cast<std::size_t>(elements));
        return self.token();
    }

    static void* on_integer(const redisReadTask* task, long long value) {
        state& self = of(task);
        if (auto* v = self.current()) v->integer(value);
        return self.token();
    }

    static void* on_nil(const redisReadTask* task) {
        state& self = of(task);
        if (auto* v = self.current()) v->nil();
        return self.token();
    }
};

decoder::decoder() : state_(std::make_unique<state>()) {
    state_->functions.createString = &state::on_string;
    state_->functions.createArray = &state::on_array;
    state_->functions.createInteger = &state::on_integer;
    state_->functions.createNil = &state::on_nil;
    state_->functions.freeObject = [](void*) {};
    reset();
}

decoder::~decoder() {
    redisReaderFree(state_->reader);
}

void decoder::reset() {
    if (state_->reader != nullptr) redisReaderFree(state_->reader);
    state_->reader = redisReaderCreateWithFunctions(&state_->functions);
    state_->reader->maxbuf = 0;  // keep the buffer between replies
    state_->reader->privdata = state_.get();
    state_->visitor = nullptr;
    state_->unexpected = false;
}

void decoder::divert(reply_visitor& rest) {
    if (state_->visitor != nullptr) state_->visitor = &rest;
}

failure decoder::feed(std::span<const char> bytes, reply_source& replies) {
    state& s = *state_;
    s.replies = &replies;
    while (!bytes.empty()) {
        const auto slice = bytes.first(std::min(bytes.size(), slice_bytes));
        bytes = bytes.subspan(slice.size());
        redisReaderFeed(s.reader, slice.data(), slice.size());
        for (;;) {
            void* reply = nullptr;
            if (redisReaderGetReply(s.reader, &reply) != REDIS_OK || s.unexpected) {
                return failure::of(errc::protocol_error, s.unexpected ? "the server sent a reply to no command"
                                                                      : std::string("bad reply: ") + s.reader->errstr);
            }
            if (reply == nullptr) break;
            s.visitor = nullptr;
            replies.reply_done();
        }
    }
    return {};
}

namespace {
char* put_header(char* at, char type, std::size_t n) {
    *at++ = type;
    at = std::to_chars(at, at + 20, n).ptr;
    *at++ = '\r';
    *at++ = '\n';
    return at;
}
}  // namespace

std::string format_command(std::span<const std::string_view> args) {
    constexpr std::size_t longest_header = 23;
    std::size_t most = longest_header;
    for (const auto& arg : args) most += longest_header + arg.size() + 2;
    std::string out(most, '\0');
    char* at = put_header(out.data(), '*', args.size());
    for (const auto& arg : args) {
        at = put_header(at, '$', arg.size());
        at = std::copy(arg.begin(), arg.end(), at);
        *at++ = '\r';
        *at++ = '\n';
    }
    out.resize(static_cast<std::size_t>(at - out.data()));
    return out;
}

void append_command(net::out_buffer& out, std::span<const std::string_view> args) {
    out.append(format_command(args));
}

namespace {
void append_header(net::out_buffer& out, char type, std::size_t n) {
    char text[24];
    out.append({text, static_cast<std::size_t>(put_header(text, type, n) - text)});
}
}  // namespace

void append_array_header(net::out_buffer& out, std::size_t elements) {
    append_header(out, '*', elements);
}

void append_bulk(net::out_buffer& out, std::string_view bytes) {
    append_header(out, '$', bytes.size());
    out.append(bytes);
    out.append("\r\n");
}

}  // namespace headrace::redis
