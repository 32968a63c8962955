// The commands as a small program: iptables, iptables-save, conntrack, ... under whatever name it is called, it hands its
// words, and what they make the gateway ask for, to the gateway's control socket, prints what comes back and exits with the
// status that comes last. The gateway does everything else. The protocol is in src/control/README.md.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { HEADER = 5, FRAME_MAX = 1 << 20, PIECE = 1 << 16, FAILED = 4 };

static const char *called;

static void fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s%s%s\n", called, what, why ? ": " : "", why ? why : "");
  exit(FAILED);
}

static void write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = write(fd, bytes, length);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) exit(FAILED);  // Nobody reads any more: no more to be said.
    bytes += written;
    length -= (size_t)written;
  }
}

static void read_all(int fd, char *bytes, size_t length) {
  while (length > 0) {
    ssize_t got = read(fd, bytes, length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("the gateway's answer cannot be read", strerror(errno));
    if (got == 0) fail("the gateway ended the conversation", NULL);
    bytes += got;
    length -= (size_t)got;
  }
}

static void put_head(char *head, char kind, size_t length) {
  head[0] = (char)(length >> 24);
  head[1] = (char)(length >> 16);
  head[2] = (char)(length >> 8);
  head[3] = (char)length;
  head[4] = kind;
}

static void send_frame(int to, char kind, const char *payload, size_t length) {
  char head[HEADER];
  put_head(head, kind, length);
  // The gateway may have answered already (too much input): then its answer is read, and no more is sent.
  struct { const char *bytes; size_t length; } parts[] = {{head, HEADER}, {payload, length}};
  for (int i = 0; i < 2; i++) {
    while (parts[i].length > 0) {
      ssize_t sent = send(to, parts[i].bytes, parts[i].length, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) return;
      parts[i].bytes += sent;
      parts[i].length -= (size_t)sent;
    }
  }
}

// Where the socket is: as src/control/path.ts has it.
static const char *socket_path(void) {
  static char own[256];
  const char *named = getenv("TUNFILTER_CONTROL");
  const char *runtime = getenv("XDG_RUNTIME_DIR");
  if (named && *named) return named;
  if (getuid() != 0 && runtime && *runtime) {
    snprintf(own, sizeof own, "%s/tunfilter.sock", runtime);
    return own;
  }
  return "/run/tunfilter.sock";
}

// Help and version need no gateway: the program in JavaScript tells them, which is found from where this one is.
static void tell_without_gateway(int argc, char **argv) {
  int asked = 0;
  for (int i = 1; i < argc; i++)
    asked |= !strcmp(argv[i], "-h") || !strcmp(argv[i], "--help") || !strcmp(argv[i], "-V") || !strcmp(argv[i], "--version");
  char program[4096];
  ssize_t length = asked ? readlink("/proc/self/exe", program, sizeof program - 64) : -1;
  if (length < 0) return;
  program[length] = 0;
  // From native/build/tunfilter-client to dist/cli/main.js
  for (int up = 0; up < 3; up++) {
    char *slash = strrchr(program, '/');
    if (!slash) return;
    *slash = 0;
  }
  strcat(program, "/dist/cli/main.js");
  // xtables-legacy-multi iptables ...: the first word is the name.
  int multi = strstr(called, "-multi") != NULL || !strcmp(called, "tunfilter");
  char **words = calloc((size_t)argc + 3, sizeof *words);
  if (!words || (multi && argc < 2)) return;
  int n = 0;
  words[n++] = "node";
  words[n++] = program;
  if (!multi) words[n++] = (char *)called;
  for (int i = 1; i < argc; i++) words[n++] = argv[i];
  execvp("node", words);
}

static int connect_gateway(int argc, char **argv) {
  const char *path = socket_path();
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) fail(path, "too long a path for a socket");
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket", strerror(errno));
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    int why = errno;
    tell_without_gateway(argc, argv);
    errno = why;
    char what[512];
    snprintf(what, sizeof what, "no gateway listens on %s (tunfilter up --control, TUNFILTER_CONTROL)", path);
    fail(what, strerror(errno));
  }
  return fd;
}

static void send_arguments(int to, int argc, char **argv) {
  size_t length = 0;
  for (int i = 0; i < argc; i++) length += strlen(argv[i]) + 1;
  if (length > FRAME_MAX) fail("the arguments are too long", NULL);
  char *payload = malloc(length + 1);
  if (!payload) fail("no memory", NULL);
  char *at = payload;
  for (int i = 0; i < argc; i++) at = stpcpy(at, argv[i]) + 1;
  send_frame(to, 'A', payload, length);
  free(payload);
}

static void send_input(int to, int from) {
  static char piece[PIECE];
  for (;;) {
    ssize_t got = read(from, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const char *why = strerror(errno);
      send_frame(to, 'x', why, strlen(why));
      return;
    }
    if (got == 0) break;
    send_frame(to, 'I', piece, (size_t)got);
  }
  send_frame(to, 'i', NULL, 0);
}

// What comes next, as soon as it is there.
static void send_some(int to) {
  static char piece[PIECE];
  ssize_t got;
  do got = read(STDIN_FILENO, piece, sizeof piece);
  while (got < 0 && errno == EINTR);
  if (got < 0) {
    const char *why = strerror(errno);
    send_frame(to, 'x', why, strlen(why));
  } else if (got == 0) send_frame(to, 'i', NULL, 0);
  else send_frame(to, 'I', piece, (size_t)got);
}

static void send_file(int to, const char *name) {
  int fd = open(name, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    send_input(to, fd);
    close(fd);
    return;
  }
  char why[512];
  snprintf(why, sizeof why, "Can't open %s: %s", name, strerror(errno));
  send_frame(to, 'x', why, strlen(why));
}

int main(int argc, char **argv) {
  called = argc > 0 && strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argc > 0 ? argv[0] : "tunfilter";
  signal(SIGPIPE, SIG_IGN);
  int gateway = connect_gateway(argc, argv);
  send_arguments(gateway, argc, argv);
  char *payload = malloc(FRAME_MAX + 1);
  if (!payload) fail("no memory", NULL);
  int output = STDOUT_FILENO;
  for (;;) {
    unsigned char head[HEADER];
    read_all(gateway, (char *)head, HEADER);
    size_t length = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (length > FRAME_MAX) fail("the gateway sent too long a frame", NULL);
    read_all(gateway, payload, length);
    payload[length] = 0;
    switch (head[4]) {
      case 'O':
        write_all(output, payload, length);
        break;
      case 'E':
        write_all(STDERR_FILENO, payload, length);
        break;
      case 'R':
        send_input(gateway, STDIN_FILENO);
        break;
      case 'r':
        send_some(gateway);
        break;
      case 'F':
        send_file(gateway, payload);
        break;
      case 'W':
        output = open(payload, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (output < 0) fail(payload, strerror(errno));
        break;
      case 'S':
        return length > 0 ? (unsigned char)payload[0] : FAILED;
      default:
        fail("the gateway sent a frame of unknown kind", NULL);
    }
  }
}
