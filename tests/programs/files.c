/*
 * Open files: one appended to, one read on, one read and written in place, two descriptors that share a position
 * (dup) and one that does not, and a stdio stream with bytes in its buffer. All are files of the current directory
 * that the program makes and removes. Usage: files [rounds] [work]
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program.h"

#define RECORD 48
#define RECORDS 257

struct files {
  int log, input, shared, again, records;
  FILE *stream;
  off_t log_size;
  uint64_t log_sum;
};

static NOINLINE uint64_t step(uint64_t sum) { return mix_at_site(sum, 83); }

static NOINLINE int open_file(const char *name, int flags) {
  int file = open(name, flags | O_CREAT, 0644);
  CHECK(file >= 0);
  return file;
}

static NOINLINE void write_record(int file, uint64_t number, uint64_t version) {
  char text[2 * RECORD] = {0};
  snprintf(text, sizeof text, "record %08" PRIu64 " version %020" PRIu64 "\n", number, version);
  CHECK(write(file, text, RECORD) == RECORD);
}

static NOINLINE uint64_t read_version(int file, uint64_t number) {
  char text[RECORD + 1] = {0};
  uint64_t found, version;
  CHECK(read(file, text, RECORD) == RECORD);
  CHECK(sscanf(text, "record %" SCNu64 " version %" SCNu64, &found, &version) == 2 && found == number);
  return version;
}

static NOINLINE void open_all(struct files *f) {
  int input = open_file("files-input.tmp", O_WRONLY | O_TRUNC);
  for (uint64_t i = 0; i < RECORDS; i++)
    write_record(input, i, step(i) >> 8);
  CHECK(close(input) == 0);
  *f = (struct files){
      .log = open_file("files-log.tmp", O_WRONLY | O_APPEND | O_TRUNC),
      .input = open_file("files-input.tmp", O_RDONLY),
      .records = open_file("files-records.tmp", O_RDWR | O_TRUNC),
      .stream = fopen("files-stream.tmp", "w+"),
  };
  f->shared = dup(f->input);
  f->again = open_file("files-input.tmp", O_RDONLY);
  CHECK(f->shared >= 0 && f->stream != NULL);
  for (uint64_t i = 0; i < RECORDS; i++)
    write_record(f->records, i, 0);
}

/* Appends a line; the file's end is where the next one goes, wherever the position is. */
static NOINLINE void append(struct files *f, uint64_t number, uint64_t sum) {
  char text[64];
  int length = snprintf(text, sizeof text, "%" PRIu64 " %016" PRIx64 "\n", number, sum);
  CHECK(write(f->log, text, (size_t)length) == length);
  f->log_size += length;
  f->log_sum = mix_bytes(f->log_sum, text, (size_t)length);
}

/* Reads one record through each of the two descriptors that share a position, beginning again at the end. */
static NOINLINE uint64_t read_on(struct files *f, uint64_t round) {
  uint64_t first = 2 * round % (RECORDS - 1);
  if (first == 0)
    CHECK(lseek(f->shared, 0, SEEK_SET) == 0);
  uint64_t sum = read_version(f->input, first);
  CHECK(lseek(f->shared, 0, SEEK_CUR) == (off_t)(first + 1) * RECORD);
  sum = mix(sum, read_version(f->shared, first + 1));
  if (round % RECORDS == 0)
    CHECK(lseek(f->again, 0, SEEK_SET) == 0);
  return mix(sum, read_version(f->again, round % RECORDS));
}

static NOINLINE uint64_t update(struct files *f, uint64_t number) {
  off_t place = (off_t)number * RECORD;
  CHECK(lseek(f->records, place, SEEK_SET) == place);
  uint64_t version = read_version(f->records, number);
  CHECK(lseek(f->records, -RECORD, SEEK_CUR) == place);
  write_record(f->records, number, version + 1);
  return version;
}

/* Writes a few bytes that mostly stay in the stream's buffer, and now and then reads all of them. */
static NOINLINE uint64_t use_stream(struct files *f, uint64_t round) {
  CHECK(fprintf(f->stream, "%" PRIu64 ";", round) > 0);
  if (round % 50 != 49)
    return 0;
  uint64_t sum = 0, value;
  rewind(f->stream);
  for (uint64_t i = 0; fscanf(f->stream, "%" SCNu64 ";", &value) == 1; i++) {
    CHECK(value == round - 49 + i);
    sum = mix(sum, value);
  }
  rewind(f->stream);
  CHECK(ftruncate(fileno(f->stream), 0) == 0);
  return sum;
}

static NOINLINE void check_log(struct files *f) {
  struct stat status;
  char buffer[512];
  ssize_t got;
  uint64_t sum = 0;
  CHECK(fstat(f->log, &status) == 0 && status.st_size == f->log_size);
  int log = open_file("files-log.tmp", O_RDONLY);
  while ((got = read(log, buffer, sizeof buffer)) > 0)
    sum = mix_bytes(sum, buffer, (size_t)got);
  CHECK(got == 0 && sum == f->log_sum);
  CHECK(close(log) == 0);
}

static NOINLINE void close_all(struct files *f) {
  const int all[] = {f->log, f->input, f->shared, f->again, f->records};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    CHECK(close(all[i]) == 0);
  CHECK(fclose(f->stream) == 0);
  CHECK(unlink("files-input.tmp") == 0 && unlink("files-log.tmp") == 0);
  CHECK(unlink("files-records.tmp") == 0 && unlink("files-stream.tmp") == 0);
}

int main(int argc, char **argv) {
  long rounds = argument(argc, argv, 1, 3000), work = argument(argc, argv, 2, 200000);
  struct files files;
  uint64_t sum = opaque(61);
  open_all(&files);
  for (long i = 0; i < rounds; i++) {
    append(&files, (uint64_t)i, sum);
    sum = mix(sum, read_on(&files, (uint64_t)i));
    sum = mix(sum, update(&files, sum % RECORDS));
    sum = mix(sum, use_stream(&files, (uint64_t)i));
    sum = compute_in_frames(4, sum, work, step);
    progress("files", i, rounds, sum);
  }
  check_log(&files);
  close_all(&files);
  return finish("files", sum);
}
