/*
 * Which queue of a TUN device a packet comes in by. Left alone, the kernel gives a flow to the queue on which the other side was
 * written to last, and forgets that after three seconds: a flow moves from one queue to another under way, where its packets may
 * overtake each other. A program of ours (eBPF, TUNSETSTEERINGEBPF, Linux 4.16) looks at nothing but addresses and ports, of
 * fragments at addresses only, so that a flow's queue never changes.
 */
#define _GNU_SOURCE
#include "tunfilter.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Registers: the packet, the hash, the protocol, where ports would be. */
enum { RESULT = BPF_REG_0, PACKET = BPF_REG_6, HASH = BPF_REG_7, PROTOCOL = BPF_REG_8, PORTS = BPF_REG_9 };
#define FACTOR ((int32_t)0x9e3779b1)

#define OP(operation, register, value) \
  {.code = BPF_ALU64 | (operation) | BPF_K, .dst_reg = (register), .imm = (value)}
#define OP_REGISTER(operation, register, other) \
  {.code = BPF_ALU64 | (operation) | BPF_X, .dst_reg = (register), .src_reg = (other)}
/* Into RESULT; behind the packet's end the program ends, with queue 0. */
#define LOAD(size, offset) {.code = BPF_LD | BPF_ABS | (size), .imm = (offset)}
#define LOAD_AT(size, register) {.code = BPF_LD | BPF_IND | (size), .src_reg = (register)}
#define JUMP_IF(condition, register, value, over) \
  {.code = BPF_JMP | (condition) | BPF_K, .dst_reg = (register), .off = (over), .imm = (value)}
#define JUMP(over) {.code = BPF_JMP | BPF_JA, .off = (over)}
#define END {.code = BPF_JMP | BPF_EXIT}
#define MIX OP(BPF_MUL, HASH, FACTOR), OP_REGISTER(BPF_ADD, HASH, RESULT)
#define MIX_WORD(offset) LOAD(BPF_W, offset), MIX

static const struct bpf_insn program[] = {
    OP_REGISTER(BPF_MOV, PACKET, BPF_REG_1),
    OP(BPF_MOV, HASH, 0),
    LOAD(BPF_B, 0),
    OP_REGISTER(BPF_MOV, PORTS, RESULT),
    OP(BPF_RSH, RESULT, 4),
    JUMP_IF(BPF_JEQ, RESULT, 4, 27),
    /* IPv6. Behind extension headers ports are not looked for. */
    MIX_WORD(8), MIX_WORD(12), MIX_WORD(16), MIX_WORD(20), MIX_WORD(24), MIX_WORD(28), MIX_WORD(32), MIX_WORD(36),
    LOAD(BPF_B, 6),
    OP(BPF_MOV, PORTS, 40),
    JUMP(12),
    /* IPv4. */
    OP(BPF_AND, PORTS, 15),
    OP(BPF_LSH, PORTS, 2),
    MIX_WORD(12), MIX_WORD(16),
    LOAD(BPF_H, 6),
    OP(BPF_AND, RESULT, 0x3fff),
    JUMP_IF(BPF_JNE, RESULT, 0, 11),
    /* No port where the protocol is not one of these. */
    LOAD(BPF_B, 9),
    OP_REGISTER(BPF_MOV, PROTOCOL, RESULT),
    JUMP_IF(BPF_JEQ, PROTOCOL, 6, 5),
    JUMP_IF(BPF_JEQ, PROTOCOL, 17, 4),
    JUMP_IF(BPF_JEQ, PROTOCOL, 33, 3),
    JUMP_IF(BPF_JEQ, PROTOCOL, 132, 2),
    JUMP_IF(BPF_JEQ, PROTOCOL, 136, 1),
    JUMP(3),
    LOAD_AT(BPF_W, PORTS),
    MIX,
    OP_REGISTER(BPF_MOV, RESULT, HASH),
    OP(BPF_MUL, RESULT, FACTOR),
    /* The kernel takes 16 bits of it; those below say little of the first words, those above of the last. */
    OP(BPF_RSH, RESULT, 32),
    END,
};

int tun_steer(int tun, struct fail *f) {
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attributes.insns = (uint64_t)(uintptr_t)program;
  attributes.insn_cnt = sizeof program / sizeof *program;
  attributes.license = (uint64_t)(uintptr_t)"MIT";
  const int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
  if (fd < 0) return fail_set(f, errno, "bpf", "programs for queues need CAP_BPF, or kernel.unprivileged_bpf_disabled=0");
  /* The device keeps the program. */
  const int failed = ioctl(tun, TUNSETSTEERINGEBPF, &fd) < 0 ? errno : 0;
  close(fd);
  return failed ? fail_set(f, failed, "TUNSETSTEERINGEBPF", NULL) : 0;
}
