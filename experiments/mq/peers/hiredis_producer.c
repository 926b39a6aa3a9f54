// The bare C producer: XADD <topic> * id <id> m <payload>, at most --window of them unacknowledged.
//
// Every message has its place in a ring of ready-made commands; only the ten digits of its number are written per
// message, twice. A burst is one append and one write; replies are parsed as they come, and the next burst goes out
// when --refill places are free.
#include "peer.h"

#include <unistd.h>

enum { digits = 10 };

struct ring {
    char* commands;  // window commands of `stride` bytes, one after another
    size_t stride;
    size_t id_at;       // where the digits of the id field begin
    size_t payload_at;  // where the digits of the payload's id begin
};

static void make_instance(char out[13]) {
    static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    unsigned long long seed = (unsigned long long)now_ns() * 6364136223846793005ULL + (unsigned long long)getpid();
    for (int i = 0; i < 12; ++i) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        out[i] = alphabet[(seed >> 33) % 36];
    }
    out[12] = '\0';
}

static char* make_payload(const char* id, long size) {
    static const char text[] = " all warfare is won by the side that knows its own numbers";
    char* payload = malloc((size_t)size + 1);
    if (payload == NULL) {
        die("out of memory");
    }
    for (long i = 0; i < size; ++i) {
        payload[i] = i < id_length ? id[i] : text[(size_t)(i - id_length) % (sizeof text - 1)];
    }
    payload[size] = '\0';
    return payload;
}

static struct ring make_ring(const struct options* o) {
    char instance[13];
    char id[id_length + 1];
    make_instance(instance);
    snprintf(id, sizeof id, "%s-00-%010d", instance, 0);
    char* payload = make_payload(id, o->size);

    char* command = NULL;
    const char* argv[] = {"XADD", o->topic, "*", "id", id, "m", payload};
    size_t lengths[] = {4, strlen(o->topic), 1, 2, id_length, 1, (size_t)o->size};
    long long stride = redisFormatCommandArgv(&command, 7, argv, lengths);
    struct ring r = {malloc((size_t)stride * (size_t)o->window), (size_t)stride, 0, 0};
    if (stride < 0 || r.commands == NULL) {
        die("out of memory");
    }
    for (long i = 0; i < o->window; ++i) {
        memcpy(r.commands + (size_t)i * r.stride, command, r.stride);
    }
    r.payload_at = r.stride - 2 - (size_t)o->size + id_length - digits;
    char length_line[32];
    int before = snprintf(length_line, sizeof length_line, "\r\n$1\r\nm\r\n$%ld\r\n", o->size);
    r.id_at = r.payload_at - (id_length - digits) - (size_t)before - digits;
    redisFreeCommand(command);
    free(payload);
    return r;
}

static void write_number(char* at, long number) {
    for (int i = digits - 1; i >= 0; --i, number /= 10) {
        at[i] = (char)('0' + number % 10);
    }
}

// Appends messages [from, from + n) to the connection's output; the ring may wrap once.
static void append_burst(redisContext* c, const struct ring* r, long window, long from, long n) {
    for (long i = from; i < from + n; ++i) {
        char* command = r->commands + (size_t)(i % window) * r->stride;
        write_number(command + r->id_at, i);
        memcpy(command + r->payload_at, command + r->id_at, digits);
    }
    long first = from % window;
    long straight = first + n <= window ? n : window - first;
    redisAppendFormattedCommand(c, r->commands + (size_t)first * r->stride, (size_t)straight * r->stride);
    if (straight < n) {
        redisAppendFormattedCommand(c, r->commands, (size_t)(n - straight) * r->stride);
    }
}

static long take_reply(redisContext* c) {
    void* reply = NULL;
    if (redisReaderGetReply(c->reader, &reply) != REDIS_OK) {
        die("unreadable reply: %s", c->reader->errstr);
    }
    if (reply == NULL) {
        return 0;
    }
    const redisReply* r = reply;
    if (r->type != REDIS_REPLY_STRING) {
        die("XADD was refused: %s", r->str != NULL ? r->str : "no entry id");
    }
    freeReplyObject(reply);
    return 1;
}

static long best_refill(long window) {
    return window > 1 ? window / 2 : 1;
}

int main(int argc, char** argv) {
    struct options o = {"127.0.0.1", 6379, "bench", "bench", 1000, 149, 64, 0, 100, 1, 0};
    parse_options(&o, argc, argv);
    long refill = o.refill > 0 && o.refill <= o.window ? o.refill : best_refill(o.window);
    redisContext* c = connect_or_die(&o);
    struct ring ring = make_ring(&o);
    long long* sent_at = o.latency ? malloc((size_t)o.window * sizeof *sent_at) : NULL;
    float* us = o.latency ? malloc((size_t)o.count * sizeof *us) : NULL;
    if (o.latency && (sent_at == NULL || us == NULL)) {
        die("out of memory");
    }

    long sent = 0;
    long acked = 0;
    long long start = now_ns();
    while (acked < o.count) {
        long open = o.window - (sent - acked);
        long left = o.count - sent;
        if (left > 0 && open >= (refill < left ? refill : left)) {
            long n = open < left ? open : left;
            for (long i = sent; o.latency && i < sent + n; ++i) {
                sent_at[i % o.window] = now_ns();
            }
            append_burst(c, &ring, o.window, sent, n);
            sent += n;
            flush_or_die(c);
        }
        if (redisBufferRead(c) != REDIS_OK) {
            die("the connection broke: %s", c->errstr);
        }
        while (acked < sent && take_reply(c) == 1) {
            if (o.latency) {
                us[acked] = (float)(now_ns() - sent_at[acked % o.window]) * 1e-3F;
            }
            ++acked;
        }
    }
    print_summary(o.count, o.count * o.size, start, now_ns(), us);
    redisFree(c);
    return 0;
}
