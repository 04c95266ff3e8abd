/*
 * A QEMU TCG plugin that counts the instructions a program executes, by translation block: exact, and not disturbed by
 * what else runs on the machine. Each line of its output file is `<address in hex> <executions> <instructions>`, where
 * the last is for one execution.
 *
 *     cc -shared -fPIC -O2 -DVERSION=1 -o count.so count.c
 *     qemu-aarch64 -plugin ./count.so,out=FILE PROG
 *
 * The declarations repeat those of qemu-plugin.h, which Debian does not package; they are the same from QEMU 6 to 10,
 * except for the version that a plugin must name: 1 up to 8.2, then 2.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
typedef void tb_callback(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void exec_callback(unsigned int, void *);
typedef void exit_callback(qemu_plugin_id_t, void *);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, tb_callback *);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, exec_callback *, enum qemu_plugin_cb_flags, void *);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, exit_callback *, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);

EXPORT int qemu_plugin_version = VERSION;

struct block {
  uint64_t address, executions, instructions;
  struct block *next;
};

static struct block *blocks;
static char *out;

static void executed(unsigned int cpu, void *data) {
  (void)cpu;
  ((struct block *)data)->executions++; /* the programs measured have one thread */
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  struct block *block = malloc(sizeof *block);
  *block = (struct block){qemu_plugin_tb_vaddr(tb), 0, qemu_plugin_tb_n_insns(tb), blocks};
  blocks = block;
  qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, QEMU_PLUGIN_CB_NO_REGS, block);
}

static void finished(qemu_plugin_id_t id, void *data) {
  (void)id;
  (void)data;
  FILE *file = fopen(out, "w");
  for (struct block *b = blocks; b; b = b->next)
    fprintf(file, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", b->address, b->executions, b->instructions);
  fclose(file);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv) {
  (void)info;
  for (int i = 0; i < argc; i++)
    if (strncmp(argv[i], "out=", 4) == 0)
      out = strdup(argv[i] + 4);
  if (!out)
    return -1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, finished, NULL);
  return 0;
}
