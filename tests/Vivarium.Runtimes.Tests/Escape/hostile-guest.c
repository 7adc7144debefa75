/*
 * Stands in for viv-guest and behaves as a hostile guest could. What it does is the word in /mode of its root:
 *   garbage      random bytes for ever                        huge         a frame that announces four gibibytes, and more after it
 *   silent       reads nothing, says nothing                  pings        ping requests for ever, reading nothing
 *   streams      opens streams for ever                       console      standard error for ever
 *   endless-line answers the first request with a line that never ends, whatever the window
 *   deep         answers it with half a mebibyte of brackets  wrong-token  answers it as another machine would
 * Proper until it runs, then, on each exec, file or other stream:
 *   run-silent   no answer        run-flood    a frame of four gibibytes without end, whatever the window
 *   run-garbage  random bytes     run-endless  an answer line that never ends, within the window
 *   run-reset    an answer and a reset, for ever
 * Framing: yamux (github.com/hashicorp/yamux/blob/master/spec.md); each stream begins with two bytes, the port.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DATA, WINDOW, PING, GO_AWAY, SYN = 1, ACK = 2, FIN = 4, RST = 8, CONTROL_PORT = 1024 };

static char mode[32];
static char junk[65536];

static void put(int fd, const void *bytes, size_t length)
{
    for (const char *at = bytes; length > 0;) {
        ssize_t n = write(fd, at, length);
        if (n <= 0) _exit(3);
        at += n;
        length -= n;
    }
}

static void head(int type, int flags, uint32_t stream, uint32_t length)
{
    unsigned char bytes[12] = { 0, type, 0, flags };
    uint32_t fields[2] = { htonl(stream), htonl(length) };
    memcpy(bytes + 4, fields, 8);
    put(1, bytes, 12);
}

static void data(uint32_t stream, int flags, const void *bytes, uint32_t length)
{
    head(DATA, flags, stream, length);
    put(1, bytes, length);
}

static void get(void *bytes, size_t length)
{
    for (char *at = bytes; length > 0;) {
        ssize_t n = read(0, at, length);
        if (n <= 0) _exit(0);
        at += n;
        length -= n;
    }
}

static void __attribute__((noreturn)) flood(uint32_t stream)
{
    for (;;) data(stream, 0, junk, sizeof junk);
}

static void text_of(const char *line, const char *key, char *value, size_t room)
{
    const char *at = strstr(line, key);
    size_t n = 0;
    value[0] = 0;
    if (!at) return;
    for (at += strlen(key); *at && *at != '"' && n + 1 < room; at++) value[n++] = *at;
    value[n] = 0;
}

static void answer_control(uint32_t stream, const char *line)
{
    char type[32], id[32], reply[1024];
    text_of(line, "\"type\":\"", type, sizeof type);
    text_of(line, "\"id\":\"", id, sizeof id);
    if (!strcmp(mode, "endless-line")) flood(stream);
    if (!strcmp(mode, "deep")) {
        static char brackets[512 * 1024];
        memset(brackets, '[', sizeof brackets);
        brackets[sizeof brackets - 1] = '\n';
        for (size_t at = 0; at < sizeof brackets; at += 65536) data(stream, 0, brackets + at, 65536);
        return;
    }
    if (!strcmp(type, "hello"))
        snprintf(reply, sizeof reply, "{\"type\":\"hello\",\"payload\":{\"protocol\":1,\"version\":\"0\",\"token\":\"%s\",\"boot_id\":\"b\"},\"id\":\"%s\"}\n", strcmp(mode, "wrong-token") ? getenv("VIV_TOKEN") : "other", id);
    else
        snprintf(reply, sizeof reply, "{\"type\":\"ack\",\"payload\":{\"reply_to\":\"%s\",\"ok\":true},\"id\":\"%s\"}\n", type, id);
    data(stream, 0, reply, strlen(reply));
}

static void misbehave(uint32_t stream)
{
    if (!strcmp(mode, "run-silent")) return;
    if (!strcmp(mode, "run-garbage")) { data(stream, 0, junk, 4096); return; }
    if (!strcmp(mode, "run-endless")) { for (int i = 0; i < 3; i++) data(stream, 0, junk, sizeof junk); return; }
    if (!strcmp(mode, "run-reset")) { data(stream, 0, "{\"pid\":1}\n", 10); head(WINDOW, RST, stream, 0); return; }
    if (!strcmp(mode, "run-flood")) {
        data(stream, 0, "{\"pid\":1}\n", 10);
        data(stream, 0, "\1\377\377\377\377", 5);
        flood(stream);
    }
}

int main(void)
{
    static char line[1 << 16];
    static uint32_t ports[4096];
    size_t filled = 0;
    FILE *file = fopen("/mode", "r");
    if (!file || fscanf(file, "%31s", mode) != 1) return 2;
    fclose(file);
    srand(1);
    for (size_t i = 0; i < sizeof junk; i++) junk[i] = strcmp(mode, "run-endless") && strcmp(mode, "endless-line") && strcmp(mode, "run-flood") ? rand() : 'x';

    if (!strcmp(mode, "silent")) for (;;) pause();
    if (!strcmp(mode, "garbage")) for (;;) put(1, junk, sizeof junk);
    if (!strcmp(mode, "huge")) { head(DATA, SYN, 2, 0xffffffff); for (;;) put(1, junk, sizeof junk); }
    if (!strcmp(mode, "pings")) for (uint32_t i = 0;; i++) head(PING, SYN, 0, i);
    if (!strcmp(mode, "streams")) for (uint32_t i = 2;; i += 2) head(WINDOW, SYN, i, 0);
    if (!strcmp(mode, "console")) for (;;) put(2, junk, sizeof junk);

    for (;;) {
        unsigned char frame[12];
        uint32_t fields[2];
        get(frame, 12);
        memcpy(fields, frame + 4, 8);
        uint32_t stream = ntohl(fields[0]), length = ntohl(fields[1]);
        if (frame[1] == PING && frame[3] & SYN) head(PING, ACK, 0, length);
        if (frame[1] == WINDOW && frame[3] & SYN) head(WINDOW, ACK, stream, 0);
        if (frame[1] != DATA) continue;
        if (frame[3] & SYN) head(WINDOW, ACK, stream, 0);
        uint32_t *port = &ports[stream % 4096], at = 0;
        static char payload[1 << 20];
        if (length > sizeof payload) _exit(4);
        get(payload, length);
        head(WINDOW, 0, stream, length);
        if (*port == 0 && length >= 2) {
            *port = (unsigned char)payload[0] << 8 | (unsigned char)payload[1];
            at = 2;
        }
        for (; at < length; at++) {
            if (filled + 1 < sizeof line) line[filled++] = payload[at];
            if (payload[at] != '\n') continue;
            line[filled] = 0;
            filled = 0;
            if (*port == CONTROL_PORT) answer_control(stream, line);
            else misbehave(stream);
        }
    }
}
