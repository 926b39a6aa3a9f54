// The bare C consumer: XREADGROUP GROUP <group> k3x9q2m7ab1c COUNT <read> BLOCK 1000 STREAMS <topic> > and one XACK per answer.
//
// --depth requests are under way at once, and the XACK of one answer leaves in the same write as the next XREADGROUP,
// so that the server reads the next entries while this side parses the last ones.
// No reply objects are made: hiredis' reader calls the functions below while it parses, and they copy each entry id
// straight into the XACK being built. An array's object is its depth, which tells a string what it is.
#include "peer.h"

#include <stdint.h>

enum { in_entry = 4, in_fields = 5 };  // array depths in an answer: answer, stream, entries, entry, fields
enum { longest_queue = 256 };          // answers under way; two per request
enum answer_kind { entries_answer, ack_answer };

// One answer, filled while it is parsed.
struct answer {
    char* ids;  // the entry ids as RESP bulk strings, ready to follow the head of an XACK
    size_t used;
    size_t room;
    long entries;
    long bytes;  // of payload
    long acked;
    char error[128];
};

// What the server still owes us, oldest first.
struct expected {
    enum answer_kind kind;
    long entries;        // ack_answer: how many ids it covers
    long long received;  // ack_answer: when they arrived, ns
};

struct consumer {
    const struct options* o;
    redisContext* c;
    struct answer answer;
    struct expected queue[longest_queue];
    unsigned head;
    unsigned tail;
    char* request;
    size_t request_length;
    long requests;  // XREADGROUPs under way
    long received;
    long acked;
    long bytes;
    long long begin;  // when the first entries had arrived, ns
    float* us;        // received to acknowledged, per message; NULL without --latency
};

static void reserve(struct answer* a, size_t more) {
    if (a->used + more <= a->room) {
        return;
    }
    a->room = 2 * a->room + more;
    a->ids = realloc(a->ids, a->room);
    if (a->ids == NULL) {
        die("out of memory");
    }
}

// Entry ids are shorter than 100 bytes: two numbers of at most 20 digits and a hyphen.
static void append_id(struct answer* a, const char* id, size_t length) {
    reserve(a, length + 8);
    char* at = a->ids + a->used;
    *at++ = '$';
    if (length >= 10) {
        *at++ = (char)('0' + length / 10);
    }
    *at++ = (char)('0' + length % 10);
    memcpy(at, "\r\n", 2);
    memcpy(at + 2, id, length);
    memcpy(at + 2 + length, "\r\n", 2);
    a->used = (size_t)(at + length + 4 - a->ids);
    ++a->entries;
}

static void* on_string(const redisReadTask* task, char* text, size_t length) {
    struct answer* a = task->privdata;
    intptr_t depth = task->parent == NULL ? 0 : (intptr_t)task->parent->obj;
    if (task->type == REDIS_REPLY_ERROR) {
        snprintf(a->error, sizeof a->error, "%.*s", (int)length, text);
    } else if (depth == in_entry) {
        append_id(a, text, length);
    } else if (depth == in_fields && task->idx == 3) {
        a->bytes += (long)length;
    }
    return a;
}

static void* on_array(const redisReadTask* task, int elements) {
    (void)elements;
    return (void*)(task->parent == NULL ? 1 : (intptr_t)task->parent->obj + 1);
}

static void* on_integer(const redisReadTask* task, long long value) {
    struct answer* a = task->privdata;
    a->acked += value;
    return a;
}

static void* on_nil(const redisReadTask* task) {
    return task->privdata;
}

static void on_free(void* object) {
    (void)object;
}

static redisReplyObjectFunctions handlers = {on_string, on_array, on_integer, on_nil, on_free};

static void make_group(redisContext* c, const struct options* o) {
    redisReply* r = redisCommand(c, "XGROUP CREATE %s %s 0 MKSTREAM", o->topic, o->group);
    if (r == NULL) {
        die("the connection broke: %s", c->errstr);
    }
    if (r->type == REDIS_REPLY_ERROR && strncmp(r->str, "BUSYGROUP", 9) != 0) {
        die("XGROUP CREATE was refused: %s", r->str);
    }
    freeReplyObject(r);
}

// Parses until one whole answer has arrived.
static void take_answer(struct consumer* k) {
    struct answer* a = &k->answer;
    a->used = 0;
    a->entries = a->bytes = a->acked = 0;
    for (void* reply = NULL;;) {
        if (redisReaderGetReply(k->c->reader, &reply) != REDIS_OK) {
            die("unreadable answer: %s", k->c->reader->errstr);
        }
        if (reply != NULL) {
            break;
        }
        if (redisBufferRead(k->c) != REDIS_OK) {
            die("the connection broke: %s", k->c->errstr);
        }
    }
    if (a->error[0] != '\0') {
        die("the server refused: %s", a->error);
    }
}

static void expect(struct consumer* k, struct expected e) {
    k->queue[k->tail++ % longest_queue] = e;
}

// One request more, unless those under way could already bring all that is left: it would only wait.
static void append_request(struct consumer* k) {
    if (k->requests == k->o->depth || k->received + k->requests * k->o->read >= k->o->count) {
        return;
    }
    redisAppendFormattedCommand(k->c, k->request, k->request_length);
    expect(k, (struct expected){entries_answer, 0, 0});
    ++k->requests;
}

static void append_ack(struct consumer* k) {
    const struct options* o = k->o;
    const struct answer* a = &k->answer;
    char head[1024];
    int n = snprintf(head, sizeof head, "*%ld\r\n$4\r\nXACK\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n", a->entries + 3,
                     strlen(o->topic), o->topic, strlen(o->group), o->group);
    redisAppendFormattedCommand(k->c, head, (size_t)n);
    redisAppendFormattedCommand(k->c, a->ids, a->used);
    expect(k, (struct expected){ack_answer, a->entries, k->us == NULL ? 0 : now_ns()});
}

static void on_entries(struct consumer* k) {
    --k->requests;
    k->received += k->answer.entries;
    k->bytes += k->answer.bytes;
    if (k->answer.entries > 0) {
        k->begin = k->begin == 0 ? now_ns() : k->begin;
        append_ack(k);
    }
    append_request(k);
    flush_or_die(k->c);
}

static void on_ack(struct consumer* k, struct expected e) {
    for (long i = 0; k->us != NULL && i < e.entries && k->acked + i < k->o->count; ++i) {
        k->us[k->acked + i] = (float)(now_ns() - e.received) * 1e-3F;
    }
    k->acked += k->answer.acked;
}

int main(int argc, char** argv) {
    struct options o = {"127.0.0.1", 6379, "bench", "bench", 1000, 149, 64, 0, 100, 2, 0};
    parse_options(&o, argc, argv);
    if (o.depth > longest_queue / 2 || strlen(o.topic) + strlen(o.group) > 900) {
        bad_usage("at most 128 requests under way, topic and group at most 900 bytes", "--depth, --topic, --group");
    }
    struct consumer k = {.o = &o, .c = connect_or_die(&o)};
    make_group(k.c, &o);
    k.c->reader->fn = &handlers;
    k.c->reader->privdata = &k.answer;
    k.request_length = (size_t)redisFormatCommand(&k.request, "XREADGROUP GROUP %s k3x9q2m7ab1c COUNT %ld BLOCK 1000 STREAMS %s >",
                                                  o.group, o.read, o.topic);
    k.us = o.latency ? malloc((size_t)o.count * sizeof *k.us) : NULL;

    for (long i = 0; i < o.depth; ++i) {
        append_request(&k);
    }
    flush_or_die(k.c);
    while (k.acked < o.count) {
        struct expected e = k.queue[k.head++ % longest_queue];
        take_answer(&k);
        if (e.kind == ack_answer) {
            on_ack(&k, e);
        } else {
            on_entries(&k);
        }
    }
    print_summary(o.count, k.bytes, k.begin, now_ns(), k.us);
    return 0;
}
