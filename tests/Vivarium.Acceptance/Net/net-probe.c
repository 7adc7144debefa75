// net-probe: what a program reaches over the network, many targets at once. Built by the tests, static, and run in sandboxes of each runtime and on the host.
//   check SECONDS               "tcp ADDRESS PORT" or "udp ADDRESS PORT" lines on standard input; each again with open, refused (at once, by an error) or silent
//   watch SECONDS               the same over and over with new sockets; each line with "open=N tried=N"
//   flows SECONDS               TCP targets that send without end; each line with "bytes=N gap=MS still=MS" and running or ended
//   hold COUNT ADDRESS PORT     that many connections open at once; how many were answered
//   speed up|down ADDRESS PORT BYTES   milliseconds
//   serve PORT                  says "hi" to each connection and keeps it until the other side ends it
//   dns SERVER udp|tcp NAME A|AAAA     addresses, or "rcode N", or "silent"
//   forge INTERFACE GATEWAY-MAC, then lines "LABEL VLAN SOURCE-MAC SOURCE TARGET PORT": sends UDP datagrams with the label as content as raw frames
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 6000

struct target {
  char text[160];
  int type, fd, state; // state: 0 under way, 1 open, 2 refused, 3 silent
  union { struct sockaddr any; struct sockaddr_in four; struct sockaddr_in6 six; } to;
  socklen_t length;
  long opened, tried, bytes, last, gap;
};

static struct target targets[MOST];
static int count;

static long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static void address(struct target *t, const char *text, int port) {
  char host[80];
  snprintf(host, sizeof host, "%s", text);
  memset(&t->to, 0, sizeof t->to);
  if (strchr(host, ':')) {
    char *zone = strchr(host, '%');
    if (zone) { *zone = 0; t->to.six.sin6_scope_id = if_nametoindex(zone + 1); }
    t->to.six.sin6_family = AF_INET6;
    t->to.six.sin6_port = htons(port);
    t->length = sizeof t->to.six;
    if (inet_pton(AF_INET6, host, &t->to.six.sin6_addr) != 1) fail(text);
  } else {
    t->to.four.sin_family = AF_INET;
    t->to.four.sin_port = htons(port);
    t->length = sizeof t->to.four;
    if (inet_pton(AF_INET, host, &t->to.four.sin_addr) != 1) fail(text);
  }
}

static void add(const char *protocol, const char *host, int port) {
  if (count == MOST) { fprintf(stderr, "too many targets\n"); exit(2); }
  struct target *t = &targets[count++];
  snprintf(t->text, sizeof t->text, "%s %s %d", protocol, host, port);
  t->type = strcmp(protocol, "udp") ? SOCK_STREAM : SOCK_DGRAM;
  address(t, host, port);
}

static void read_targets(void) {
  char protocol[8], host[80];
  int port;
  while (scanf("%7s %79s %d", protocol, host, &port) == 3) add(protocol, host, port);
}

// Begins to ask; the answer comes by poll.
static void begin(struct target *t, const char *request) {
  t->state = 0;
  t->fd = socket(t->to.any.sa_family, t->type | SOCK_NONBLOCK, 0);
  if (t->fd < 0) fail("socket");
  if (connect(t->fd, &t->to.any, t->length) < 0 && errno != EINPROGRESS) { t->state = 2; return; }
  if (t->type == SOCK_DGRAM && send(t->fd, request, strlen(request), 0) < 0) t->state = 2;
}

// One round of poll over what is under way; asked[] says whose question has been sent. Returns how many are still under way.
static int turn(const char *request, char *asked, int wait, int keep) {
  static struct pollfd polled[MOST];
  static int who[MOST];
  int n = 0;
  for (int i = 0; i < count; i++) {
    struct target *t = &targets[i];
    if (t->fd < 0 || (t->state != 0 && !(keep && t->state == 1))) continue;
    polled[n] = (struct pollfd){ .fd = t->fd, .events = t->type == SOCK_STREAM && !asked[i] ? POLLOUT : POLLIN };
    who[n++] = i;
  }
  if (n == 0 || poll(polled, n, wait) <= 0) return n;
  for (int k = 0; k < n; k++) {
    struct target *t = &targets[who[k]];
    char buffer[65536];
    if (!polled[k].revents) continue;
    if (t->type == SOCK_STREAM && !asked[who[k]]) {
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error || send(t->fd, request, strlen(request), MSG_NOSIGNAL) < 0) t->state = 2;
      asked[who[k]] = 1;
      continue;
    }
    ssize_t got = recv(t->fd, buffer, sizeof buffer, 0);
    if (got > 0) {
      long at = now();
      if (t->bytes && at - t->last > t->gap) t->gap = at - t->last;
      t->bytes += got;
      t->last = at;
      t->state = 1;
    } else if (got == 0 || errno != EAGAIN) {
      if (keep && t->state == 1) { close(t->fd); t->fd = -1; }
      t->state = keep && t->bytes ? 4 : 2;
    }
  }
  return n;
}

// Asks all of them at once; those that say nothing by then are silent.
static void ask_all(const char *request, long deadline) {
  static char asked[MOST];
  memset(asked, 0, sizeof asked);
  for (int i = 0; i < count; i++) begin(&targets[i], request);
  while (now() < deadline && turn(request, asked, 50, 0) > 0) { }
  for (int i = 0; i < count; i++) {
    if (targets[i].state == 0) targets[i].state = 3;
    targets[i].tried++;
    targets[i].opened += targets[i].state == 1;
    close(targets[i].fd);
  }
}

static int check(long seconds) {
  static const char *states[] = { "?", "open", "refused", "silent" };
  read_targets();
  ask_all("GET / HTTP/1.0\r\n\r\n", now() + seconds * 1000);
  for (int i = 0; i < count; i++) printf("%s %s\n", targets[i].text, states[targets[i].state]);
  return 0;
}

static int watch(long seconds) {
  long end = now() + seconds * 1000;
  read_targets();
  while (now() < end) ask_all("GET / HTTP/1.0\r\n\r\n", now() + 100);
  for (int i = 0; i < count; i++) printf("%s open=%ld tried=%ld\n", targets[i].text, targets[i].opened, targets[i].tried);
  return 0;
}

static int flows(long seconds) {
  static char asked[MOST];
  long end = now() + seconds * 1000;
  read_targets();
  for (int i = 0; i < count; i++) begin(&targets[i], "GET /slow HTTP/1.0\r\n\r\n");
  while (now() < end) if (turn("GET /slow HTTP/1.0\r\n\r\n", asked, 50, 1) == 0) usleep(20000);
  for (int i = 0; i < count; i++) {
    struct target *t = &targets[i];
    printf("%s bytes=%ld gap=%ld still=%ld %s\n", t->text, t->bytes, t->gap, t->last ? now() - t->last : -1, t->state == 1 ? "running" : "ended");
  }
  return 0;
}

static int hold(int wanted, const char *host, int port) {
  static char asked[MOST];
  int answered = 0;
  long end = now() + 5000;
  for (int i = 0; i < wanted; i++) add("tcp", host, port);
  for (int i = 0; i < count; i++) begin(&targets[i], "GET /slow HTTP/1.0\r\n\r\n");
  for (int under_way = 1; under_way && now() < end;) {
    turn("GET /slow HTTP/1.0\r\n\r\n", asked, 50, 1);
    under_way = 0;
    for (int i = 0; i < count; i++) under_way |= targets[i].state == 0;
  }
  for (int i = 0; i < count; i++) answered += targets[i].state == 1;
  printf("%d\n", answered);
  return 0;
}

static int speed(const char *way, const char *host, int port, long bytes) {
  static char buffer[65536];
  struct target t = { .type = SOCK_STREAM };
  struct timeval patience = { .tv_sec = 30 };
  int up = !strcmp(way, "up");
  long began = now(), done = 0;
  ssize_t n;
  address(&t, host, port);
  int fd = socket(t.to.any.sa_family, SOCK_STREAM, 0);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(fd, &t.to.any, t.length) < 0) fail("connect");
  n = snprintf(buffer, sizeof buffer, "GET /%s/%ld HTTP/1.0\r\n\r\n", way, bytes);
  if (send(fd, buffer, n, 0) != n) fail("send");
  for (; up && done < bytes; done += n)
    if ((n = send(fd, buffer, bytes - done < (long)sizeof buffer ? bytes - done : (long)sizeof buffer, MSG_NOSIGNAL)) <= 0) fail("send");
  for (done = 0; (n = recv(fd, buffer, sizeof buffer, 0)) > 0; done += n) { }
  if (n < 0 || done == 0 || (!up && done < bytes)) { fprintf(stderr, "cut off after %ld bytes\n", done); return 2; }
  printf("%ld\n", now() - began);
  return 0;
}

static int serve(int port) {
  static struct pollfd polled[MOST + 1];
  struct target t;
  int yes = 1, n = 1;
  address(&t, "0.0.0.0", port);
  polled[0] = (struct pollfd){ .fd = socket(AF_INET, SOCK_STREAM, 0), .events = POLLIN };
  setsockopt(polled[0].fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(polled[0].fd, &t.to.any, t.length) < 0 || listen(polled[0].fd, 1024) < 0) fail("listen");
  while (poll(polled, n, -1) > 0) {
    char buffer[4096];
    for (int i = n - 1; i > 0; i--)
      if (polled[i].revents && recv(polled[i].fd, buffer, sizeof buffer, 0) <= 0) { close(polled[i].fd); polled[i] = polled[--n]; }
    if (polled[0].revents && n <= MOST) {
      int fd = accept(polled[0].fd, NULL, NULL);
      if (fd >= 0 && send(fd, "hi\n", 3, MSG_NOSIGNAL) == 3) polled[n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
    }
  }
  return 0;
}

static int dns(const char *server, int tcp, const char *name, int type) {
  unsigned char question[300] = { 0, 0, 0x12, 0x34, 1, 0, 0, 1 }, answer[4096];
  struct target t = { .type = tcp ? SOCK_STREAM : SOCK_DGRAM };
  struct timeval patience = { .tv_sec = 3 };
  int at = 14, got = 0;
  for (const char *label = name; *label;) {
    int length = strcspn(label, ".");
    question[at++] = length;
    memcpy(question + at, label, length);
    at += length;
    label += length + (label[length] == '.');
  }
  question[at + 2] = type;
  question[at + 4] = 1;
  at += 5;
  question[1] = at - 2;
  address(&t, server, 53);
  int fd = socket(t.to.any.sa_family, t.type, 0), skip = tcp ? 0 : 2;
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(fd, &t.to.any, t.length) < 0 || send(fd, question + skip, at - skip, MSG_NOSIGNAL) < 0) { puts("silent"); return 0; }
  for (int n; got < 14 || (tcp && got < 2 + (answer[0] << 8 | answer[1])); got += n) {
    if ((n = recv(fd, answer + got, sizeof answer - got, 0)) <= 0) break;
    if (!tcp) { got += n; break; }
  }
  if (got < 14) { puts("silent"); return 0; }
  unsigned char *message = answer + (tcp ? 2 : 0); // before it, over TCP, its length
  if (message[3] & 15) { printf("rcode %d\n", message[3] & 15); return 0; }
  int left = message[7], i = at - 2;
  for (; left > 0; left--) {
    int length = message[i + 11];
    char text[64];
    if (length == 4 || length == 16) printf("%s\n", inet_ntop(length == 4 ? AF_INET : AF_INET6, message + i + 12, text, sizeof text));
    i += 12 + length;
  }
  if (message[7] == 0) puts("none");
  return 0;
}

static unsigned sum(const void *data, int length, unsigned so_far) {
  const unsigned char *bytes = data;
  for (int i = 0; i + 1 < length; i += 2) so_far += bytes[i] << 8 | bytes[i + 1];
  return length & 1 ? so_far + (bytes[length - 1] << 8) : so_far;
}

static unsigned short fold(unsigned value) {
  while (value >> 16) value = (value & 0xffff) + (value >> 16);
  return htons(~value & 0xffff);
}

static void mac(unsigned char *to, const char *text) {
  if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", to, to + 1, to + 2, to + 3, to + 4, to + 5) != 6) fail(text);
}

static int forge(const char *interface, const char *gateway) {
  char label[40], hardware[20], from[80], to[80];
  int vlan, port, fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
  struct sockaddr_ll out = { .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(interface), .sll_halen = 6 };
  if (fd < 0 || out.sll_ifindex == 0) fail("packet socket");
  while (scanf("%39s %d %19s %79s %79s %d", label, &vlan, hardware, from, to, &port) == 6) {
    unsigned char frame[512] = { 0 }, *udp;
    int at = 12, size = strlen(label), six = strchr(to, ':') != NULL;
    mac(frame, gateway);
    mac(frame + 6, hardware);
    if (vlan) { memcpy(frame + at, "\x81\x00", 2); frame[at + 3] = vlan; at += 4; }
    memcpy(frame + at, six ? "\x86\xdd" : "\x08\x00", 2);
    at += 2;
    unsigned char *ip = frame + at;
    if (six) {
      ip[0] = 0x60; ip[5] = 8 + size; ip[6] = 17; ip[7] = 64;
      if (inet_pton(AF_INET6, from, ip + 8) != 1 || inet_pton(AF_INET6, to, ip + 24) != 1) fail(label);
    } else {
      ip[0] = 0x45; ip[3] = 28 + size; ip[8] = 64; ip[9] = 17;
      if (inet_pton(AF_INET, from, ip + 12) != 1 || inet_pton(AF_INET, to, ip + 16) != 1) fail(label);
      unsigned short checksum = fold(sum(ip, 20, 0));
      memcpy(ip + 10, &checksum, 2);
    }
    udp = ip + (six ? 40 : 20);
    udp[0] = 0x30; udp[1] = 0x39; udp[2] = port >> 8; udp[3] = port; udp[5] = 8 + size;
    memcpy(udp + 8, label, size);
    unsigned short checksum = fold(sum(udp, 8 + size, sum(ip + (six ? 8 : 12), six ? 32 : 8, 17 + 8 + size)));
    memcpy(udp + 6, &checksum, 2);
    if (sendto(fd, frame, udp + 8 + size - frame, 0, (struct sockaddr *)&out, sizeof out) < 0) fail(label);
  }
  return 0;
}

int main(int argc, char **argv) {
  struct rlimit files = { MOST + 50, MOST + 50 };
  setrlimit(RLIMIT_NOFILE, &files);
  const char *what = argc > 1 ? argv[1] : "";
  if (!strcmp(what, "check") && argc == 3) return check(atol(argv[2]));
  if (!strcmp(what, "watch") && argc == 3) return watch(atol(argv[2]));
  if (!strcmp(what, "flows") && argc == 3) return flows(atol(argv[2]));
  if (!strcmp(what, "hold") && argc == 5) return hold(atoi(argv[2]), argv[3], atoi(argv[4]));
  if (!strcmp(what, "speed") && argc == 6) return speed(argv[2], argv[3], atoi(argv[4]), atol(argv[5]));
  if (!strcmp(what, "serve") && argc == 3) return serve(atoi(argv[2]));
  if (!strcmp(what, "dns") && argc == 6) return dns(argv[2], !strcmp(argv[3], "tcp"), argv[4], strcmp(argv[5], "AAAA") ? 1 : 28);
  if (!strcmp(what, "forge") && argc == 4) return forge(argv[2], argv[3]);
  fprintf(stderr, "net-probe: see the beginning of its source\n");
  return 2;
}
