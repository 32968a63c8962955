// The ends of the UDP measurements. Every mode ends by itself and prints one line of JSON.
//
//   udp flood ADDRESS PORT SECONDS    sends packets of 64 bytes (payload 36) as fast as the kernel takes them
//   udp pace ADDRESS PORT SECONDS RATE   the same, so many a second, in bursts of at most 64
//   udp churn ADDRESS PORT SECONDS RATE  so many new flows a second, of one packet each: every one from a socket of its own
//   udp sink PORT SECONDS             counts what arrives from the first packet on, for so long at most
//   udp echo PORT SECONDS             sends everything back
//   udp stamped ADDRESS PORT SECONDS RATE  so many a second, evenly, each with the time at which it is sent in it
//   udp delays PORT SECONDS           how long after that each of those has come to the kernel here
//   udp rtt ADDRESS PORT COUNT        four bytes there and back, one packet after the other
//
// Addresses are of IPv4 or IPv6; sink and echo take both.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, PAYLOAD = 36 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *what) {
  fprintf(stderr, "udp: %s: %s\n", what, strerror(errno));
  exit(1);
}

struct address {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  };
  socklen_t length;
};

static struct address address(const char *host, const char *port) {
  struct address a = {.length = sizeof a.v4};
  a.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  if (inet_pton(AF_INET, host, &a.v4.sin_addr) == 1) return a;
  a.length = sizeof a.v6;
  a.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
  if (inet_pton(AF_INET6, host, &a.v6.sin6_addr) == 1) return a;
  fprintf(stderr, "udp: %s: expected an address of IPv4 or IPv6\n", host);
  exit(1);
}

static int open_socket(int family, double timeout) {
  int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  struct timeval t = {.tv_sec = (time_t)timeout, .tv_usec = (suseconds_t)((timeout - (time_t)timeout) * 1e6)};
  int buffer = 4 << 20, both = 0;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) != 0) die("SO_RCVTIMEO");
  // Without CAP_NET_ADMIN the system's limit holds.
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  if (family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &both, sizeof both);
  return fd;
}

static int connected(const char *host, const char *port, double timeout) {
  struct address to = address(host, port);
  int fd = open_socket(to.any.sa_family, timeout);
  if (connect(fd, &to.any, to.length) != 0) die("connect");
  return fd;
}

static int bound(const char *port, double timeout) {
  struct address at = address("::", port);
  int fd = open_socket(AF_INET6, timeout);
  if (bind(fd, &at.any, at.length) != 0) die("bind");
  return fd;
}

static void prepare(struct mmsghdr *messages, struct iovec *parts, char (*payload)[2048], size_t length) {
  memset(messages, 0, BATCH * sizeof *messages);
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){payload[i], length};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
}

static struct mmsghdr messages[BATCH];
static struct iovec parts[BATCH];
static char payload[BATCH][2048];

static int flood(const char *host, const char *port, double seconds) {
  int fd = connected(host, port, 1);
  prepare(messages, parts, payload, PAYLOAD);
  double begin = now(), t;
  unsigned long long sent = 0;
  while ((t = now()) < begin + seconds) {
    int n = sendmmsg(fd, messages, BATCH, 0);
    if (n > 0) sent += (unsigned)n;
    else if (errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED) die("sendmmsg");
  }
  printf("{\"packets\":%llu,\"seconds\":%.6f}\n", sent, t - begin);
  return 0;
}

static int pace(const char *host, const char *port, double seconds, double rate) {
  int fd = connected(host, port, 1);
  prepare(messages, parts, payload, PAYLOAD);
  double begin = now(), t;
  unsigned long long sent = 0;
  while ((t = now()) < begin + seconds) {
    double due = (t - begin) * rate - (double)sent;
    if (due < 1) continue;
    int n = sendmmsg(fd, messages, due > BATCH ? BATCH : (unsigned)due, 0);
    if (n > 0) sent += (unsigned)n;
    else if (errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED) die("sendmmsg");
  }
  printf("{\"packets\":%llu,\"seconds\":%.6f}\n", sent, t - begin);
  return 0;
}

static int churn(const char *host, const char *port, double seconds, double rate) {
  double begin = now(), t;
  unsigned long long sent = 0;
  while ((t = now()) < begin + seconds) {
    if ((t - begin) * rate < (double)sent + 1) {
      usleep(500);
      continue;
    }
    int fd = connected(host, port, 1);
    if (send(fd, payload[0], PAYLOAD, 0) < 0 && errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED) die("send");
    close(fd);
    sent++;
  }
  printf("{\"packets\":%llu,\"seconds\":%.6f}\n", sent, t - begin);
  return 0;
}

static volatile sig_atomic_t told_to_end;

static void tell(int signal) {
  (void)signal;
  told_to_end = 1;
}

/* SIGTERM ends it early; what was counted is printed all the same. */
static int sink(const char *port, double seconds) {
  struct sigaction end = {.sa_handler = tell};
  sigaction(SIGTERM, &end, NULL);
  int fd = bound(port, seconds);
  prepare(messages, parts, payload, sizeof payload[0]);
  double first = 0, last = 0;
  unsigned long long got = 0;
  while (first == 0 || last < first + seconds) {
    int n = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
    if (n < 0 && errno == EINTR && !told_to_end) continue;
    if (n < 0) break;
    last = now();
    if (first == 0) first = last;
    else got += (unsigned)n;
  }
  printf("{\"packets\":%llu,\"seconds\":%.6f}\n", got + (first != 0), last - first);
  return 0;
}

static int echo(const char *port, double seconds) {
  int fd = bound(port, seconds);
  double end = now() + seconds;
  unsigned long long got = 0;
  while (now() < end) {
    struct address from = {.length = sizeof from.v6};
    ssize_t n = recvfrom(fd, payload[0], sizeof payload[0], 0, &from.any, &from.length);
    if (n < 0) break;
    got++;
    sendto(fd, payload[0], (size_t)n, 0, &from.any, from.length);
  }
  printf("{\"packets\":%llu}\n", got);
  return 0;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Shares of the answers, whose times are printed: enough to draw their distribution. */
static const double SHARES[] = {0, .01, .05, .1, .25, .5, .75, .9, .95, .98, .99, .995, .998, .999, 1};

static int rtt(const char *host, const char *port, int count) {
  int fd = connected(host, port, 0.2);
  double *times = calloc((size_t)count + 1, sizeof *times);
  if (times == NULL) die("calloc");
  int got = 0, lost = 0;
  for (int i = 0; i < count && lost < 20; i++) {
    int question = i, answer = -1;
    double begin = now();
    if (send(fd, &question, sizeof question, 0) < 0 && errno != ECONNREFUSED) die("send");
    while (answer != question && recv(fd, &answer, sizeof answer, 0) == (ssize_t)sizeof answer) continue;
    if (answer == question) times[got++] = (now() - begin) * 1e6;
    else lost++;
  }
  qsort(times, (size_t)got, sizeof *times, by_value);
  printf("{\"answers\":%d,\"lost\":%d,\"p50\":%.2f,\"p99\":%.2f,\"quantiles\":[", got, lost, times[got / 2], times[got * 99 / 100]);
  for (size_t i = 0; i < sizeof SHARES / sizeof SHARES[0]; i++)
    printf("%s[%g,%.2f]", i ? "," : "", SHARES[i], times[(int)(SHARES[i] * (got ? got - 1 : 0))]);
  printf("]}\n");
  free(times);
  return got == 0;
}

/* SCM_TIMESTAMPNS counts in the clock of the day. */
static double day(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

/* SIGTERM ends it early. */
static int stamped(const char *host, const char *port, double seconds, double rate) {
  struct sigaction end = {.sa_handler = tell};
  sigaction(SIGTERM, &end, NULL);
  int fd = connected(host, port, 1);
  double begin = now();
  unsigned long long sent = 0;
  while (!told_to_end && now() < begin + seconds) {
    double due = begin + (double)sent / rate;
    struct timespec t = {.tv_sec = (time_t)due, .tv_nsec = (long)((due - (double)(time_t)due) * 1e9)};
    if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0) continue;
    double at = day();
    memcpy(payload[0], &at, sizeof at);
    if (send(fd, payload[0], PAYLOAD, 0) < 0 && errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED) die("send");
    sent++;
  }
  printf("{\"packets\":%llu}\n", sent);
  return 0;
}

/* A packet that took longer than this, in microseconds, is late. */
static const double LATE_US = 5000;

/* Until nothing has come for half a second after SIGTERM, so that what waits on the way is counted. */
static int delays(const char *port, double seconds) {
  struct sigaction end = {.sa_handler = tell};
  sigaction(SIGTERM, &end, NULL);
  int fd = bound(port, .5), on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0) die("SO_TIMESTAMPNS");
  size_t count = 0, room = 1 << 16;
  double *took = malloc(room * sizeof *took), begin = now();
  while (now() < begin + seconds) {
    char control[256];
    double sent;
    struct iovec part = {payload[0], sizeof payload[0]};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    if (recvmsg(fd, &message, 0) < (ssize_t)sizeof sent) {
      if (told_to_end) break;
      continue;
    }
    struct timespec t = {0};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c))
      if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) memcpy(&t, CMSG_DATA(c), sizeof t);
    memcpy(&sent, payload[0], sizeof sent);
    if (count == room) took = realloc(took, (room *= 2) * sizeof *took);
    if (took == NULL) die("realloc");
    took[count++] = (t.tv_sec + t.tv_nsec / 1e9 - sent) * 1e6;
  }
  if (count == 0) {
    fprintf(stderr, "udp: nothing arrived\n");
    return 1;
  }
  qsort(took, count, sizeof *took, by_value);
  size_t late = count;
  while (late > 0 && took[late - 1] > LATE_US) late--;
  printf("{\"packets\":%zu,\"median\":%.2f,\"p999\":%.2f,\"max\":%.2f,\"late\":%zu,\"seconds\":%.3f}\n", count, took[count / 2],
         took[(size_t)((double)(count - 1) * .999)], took[count - 1], count - late, now() - begin);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 5 && strcmp(argv[1], "flood") == 0) return flood(argv[2], argv[3], atof(argv[4]));
  if (argc == 6 && strcmp(argv[1], "pace") == 0) return pace(argv[2], argv[3], atof(argv[4]), atof(argv[5]));
  if (argc == 6 && strcmp(argv[1], "churn") == 0) return churn(argv[2], argv[3], atof(argv[4]), atof(argv[5]));
  if (argc == 4 && strcmp(argv[1], "sink") == 0) return sink(argv[2], atof(argv[3]));
  if (argc == 4 && strcmp(argv[1], "echo") == 0) return echo(argv[2], atof(argv[3]));
  if (argc == 6 && strcmp(argv[1], "stamped") == 0) return stamped(argv[2], argv[3], atof(argv[4]), atof(argv[5]));
  if (argc == 4 && strcmp(argv[1], "delays") == 0) return delays(argv[2], atof(argv[3]));
  if (argc == 5 && strcmp(argv[1], "rtt") == 0) return rtt(argv[2], argv[3], atoi(argv[4]));
  fprintf(stderr, "usage: udp flood ADDRESS PORT SECONDS | pace ADDRESS PORT SECONDS RATE | churn ADDRESS PORT SECONDS RATE | sink PORT SECONDS | echo PORT SECONDS | stamped ADDRESS PORT SECONDS RATE | delays PORT SECONDS | rtt ADDRESS PORT COUNT\n");
  return 2;
}
