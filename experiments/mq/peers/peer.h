// What the two hiredis rivals share: options, clocks, the summary line, and giving up with one clear sentence.
//
// Threads:  one; nothing here is shared.
// Lifetime: option strings point into argv.
// Errors:   die() prints one line on standard error and exits 1; bad usage exits 2.
// Stop:     the programs end when every message is acknowledged.
#ifndef HEADRACE_PEERS_PEER_H
#define HEADRACE_PEERS_PEER_H

#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

enum { id_length = 26 };

struct options {
    const char* host;
    int port;
    const char* topic;
    const char* group;
    long count;   // messages in all
    long size;    // payload bytes; the first 26 are the id
    long window;  // producer: unacknowledged messages allowed
    long refill;  // producer: free places that trigger the next burst; 0 = the measured best for this window
    long read;    // consumer: COUNT of XREADGROUP, and so the ids per XACK
    long depth;   // consumer: XREADGROUP requests under way at once
    int latency;  // 1: two clock reads per message, p50 and p99 in the summary
};

static inline void die(const char* format, ...) {
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static inline void bad_usage(const char* what, const char* arg) {
    fprintf(stderr, "%s: %s\n", what, arg);
    exit(2);
}

static inline long positive(const char* flag, const char* text) {
    char* end = NULL;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || value <= 0) {
        bad_usage("not a positive number", flag);
    }
    return value;
}

// Fills `o` from the command line; what is absent keeps its default.
static inline void parse_options(struct options* o, int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        const char* flag = argv[i];
        if (strcmp(flag, "--latency") == 0) {
            o->latency = 1;
            continue;
        }
        if (i + 1 >= argc) {
            bad_usage("this option needs a value, or is unknown", flag);
        }
        const char* value = argv[++i];
        // clang-format off
        if (strcmp(flag, "--host") == 0) o->host = value;
        else if (strcmp(flag, "--topic") == 0) o->topic = value;
        else if (strcmp(flag, "--group") == 0) o->group = value;
        else if (strcmp(flag, "--port") == 0) o->port = (int)positive(flag, value);
        else if (strcmp(flag, "--count") == 0) o->count = positive(flag, value);
        else if (strcmp(flag, "--size") == 0) o->size = positive(flag, value);
        else if (strcmp(flag, "--window") == 0) o->window = positive(flag, value);
        else if (strcmp(flag, "--refill") == 0) o->refill = positive(flag, value);
        else if (strcmp(flag, "--read") == 0) o->read = positive(flag, value);
        else if (strcmp(flag, "--depth") == 0) o->depth = positive(flag, value);
        else bad_usage("unknown option", flag);
        // clang-format on
    }
    if (o->size < id_length) {
        bad_usage("a payload begins with its id and needs at least 26 bytes", "--size");
    }
}

static inline redisContext* connect_or_die(const struct options* o) {
    redisContext* c = redisConnect(o->host, o->port);
    if (c == NULL || c->err != 0) {
        die("cannot connect to %s:%d: %s", o->host, o->port, c == NULL ? "out of memory" : c->errstr);
    }
    c->reader->maxbuf = 0;  // keep the read buffer instead of freeing it whenever it runs empty
    return c;
}

static inline void flush_or_die(redisContext* c) {
    for (int done = 0; done == 0;) {
        if (redisBufferWrite(c, &done) != REDIS_OK) {
            die("writing failed: %s", c->errstr);
        }
    }
}

// Epoch time: the CSVs of the other programs use it too, and one pair of clock reads compares with another's.
static inline long long now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static inline double seconds_of(struct timeval t) {
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

static inline int by_value(const void* a, const void* b) {
    float x = *(const float*)a;
    float y = *(const float*)b;
    return (x > y) - (x < y);
}

// One JSON line on standard output. `bytes` is the payload moved, `begin` and `end` the times of the first message's
// start and the last acknowledgement; `us` holds `count` latencies in microseconds, or is NULL.
static inline void print_summary(long count, long bytes, long long begin, long long end, float* us) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
    double seconds = (double)(end - begin) * 1e-9;
    printf("{\"messages\": %ld, \"payload_bytes\": %ld, \"begin\": %.6f, \"end\": %.6f, ", count, bytes,
           (double)begin * 1e-9, (double)end * 1e-9);
    printf("\"seconds\": %.6f, \"rate\": %.1f, \"cpu_s\": %.6f, ", seconds, (double)count / seconds, cpu);
    if (us == NULL) {
        printf("\"p50_us\": null, \"p99_us\": null}\n");
        return;
    }
    qsort(us, (size_t)count, sizeof *us, by_value);
    printf("\"p50_us\": %.1f, \"p99_us\": %.1f}\n", us[count / 2], us[count * 99 / 100]);
}

#endif
