/* CUDA's runtime without a card, for ONNX Runtime's own CUDA and TensorRT providers: memory of the card is memory of
   the host, copies copy, kernels compute nothing. What is captured as a graph are the copies, and a launch does them
   again. What is not here does nothing and succeeds; see card_tools.py.

   FAKE_CUDA_LOG=FILE           a line of each event that tests ask for
   FAKE_CUDA_BYTES=N            the card has so many bytes
   FAKE_CUDA_LOST_AFTER=N       after so many synchronisations every call fails with an illegal address
   FAKE_CUDA_LATE=1             copies that are told no direction are over only once their stream is waited for
   FAKE_CUDA_COPY_MS=N          copies take so many milliseconds
   FAKE_CUDA_GRAPHS=empty       launches of graphs do nothing
   FAKE_CUDA_GRAPHS=refused     nothing can be captured */

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, OUT_OF_MEMORY = 2, ILLEGAL_ADDRESS = 700, NOT_SUPPORTED = 801, CAPTURE_UNSUPPORTED = 900 };
enum { CARDS = 2, MOST_COPIES = 4096 };

static int card, is_capturing;
static long synchronisations;
static size_t used;

typedef struct {
  void *to;
  const void *from;
  size_t bytes;
} Copy;

typedef struct {
  int count;
  Copy copies[MOST_COPIES];
} Graph;

static Graph *graph;

static const char *setting(const char *name) {
  const char *value = getenv(name);
  return value ? value : "";
}

static void tell(const char *event, long number) {
  if (!*setting("FAKE_CUDA_LOG")) return;
  FILE *log = fopen(setting("FAKE_CUDA_LOG"), "a");
  fprintf(log, "%s %ld\n", event, number);
  fclose(log);
}

static int status(void) {
  const char *most = setting("FAKE_CUDA_LOST_AFTER");
  return *most && synchronisations > atol(most) ? ILLEGAL_ADDRESS : SUCCESS;
}

/* -- cards ------------------------------------------------------------------------------------------------------- */

int cudaGetDeviceCount(int *count) { return *count = CARDS, status(); }
int cudaGetDevice(int *number) { return *number = card, status(); }
int cudaSetDevice(int number) { return card = number, status(); }
int cudaDriverGetVersion(int *version) { return *version = 13000, SUCCESS; }
int cudaRuntimeGetVersion(int *version) { return *version = 13000, SUCCESS; }

int cudaGetDeviceProperties(char *properties, int number) {
  memset(properties, 0, 1008); /* cudaDeviceProp of CUDA 13 */
  strcpy(properties, "Fake card");
  *(size_t *)(properties + 288) = (size_t)16 << 30; /* totalGlobalMem */
  *(size_t *)(properties + 296) = 48 << 10;         /* sharedMemPerBlock */
  *(int *)(properties + 308) = 32;                  /* warpSize */
  *(int *)(properties + 320) = 1024;                /* maxThreadsPerBlock */
  *(int *)(properties + 360) = 9;                   /* major */
  return status();
}

int cudaDeviceGetAttribute(int *value, int attribute, int number) {
  *value = attribute == 75 ? 9 : attribute == 76 ? 0 : 1; /* compute capability */
  return status();
}

int cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks) { return *blocks = 2, SUCCESS; }

const char *cudaGetErrorName(int error) { return "cudaErrorOfAFakeCard"; }

const char *cudaGetErrorString(int error) {
  return error == OUT_OF_MEMORY ? "out of memory"
         : error == ILLEGAL_ADDRESS ? "an illegal memory access was encountered"
         : error == CAPTURE_UNSUPPORTED ? "operation not permitted when stream is capturing"
                                        : "operation not supported";
}

int cudaGetLastError(void) { return status(); }
int cudaPeekAtLastError(void) { return status(); }

/* -- memory ------------------------------------------------------------------------------------------------------ */

int cudaMalloc(void **memory, size_t bytes) {
  const char *most = setting("FAKE_CUDA_BYTES");
  if (is_capturing) return CAPTURE_UNSUPPORTED;
  if (*most && used + bytes > (size_t)atoll(most)) return OUT_OF_MEMORY;
  size_t *block = aligned_alloc(256, (bytes + 511) / 256 * 256);
  memset(block, 0, (bytes + 511) / 256 * 256);
  *block = bytes;
  used += bytes;
  *memory = (char *)block + 256;
  tell("allocated", (long)bytes);
  return status();
}

int cudaFree(void *memory) {
  if (!memory) return status();
  size_t *block = (size_t *)((char *)memory - 256);
  used -= *block;
  free(block);
  return status();
}

int cudaMallocFromPoolAsync(void **memory, size_t bytes) { return cudaMalloc(memory, bytes); }
int cudaFreeAsync(void *memory) { return cudaFree(memory); }
int cudaHostAlloc(void **memory, size_t bytes) { return *memory = malloc(bytes), status(); }
int cudaMallocHost(void **memory, size_t bytes) { return cudaHostAlloc(memory, bytes); }
int cudaFreeHost(void *memory) { return free(memory), SUCCESS; }
int cudaHostRegister(void *memory, size_t bytes, unsigned flags) { return tell("page-locked", (long)bytes), status(); }
int cudaMemGetInfo(size_t *free_bytes, size_t *total) { return *free_bytes = *total = (size_t)16 << 30, status(); }
int cudaPointerGetAttributes(int *attributes) { return memset(attributes, 0, 32), SUCCESS; }

static Copy late;

int cudaMemcpy(void *to, const void *from, size_t bytes, int kind) {
  enum { ANY_DIRECTION = 4 };
  usleep(1000 * atoi(setting("FAKE_CUDA_COPY_MS")));
  if (kind == ANY_DIRECTION && *setting("FAKE_CUDA_LATE")) return late = (Copy){to, from, bytes}, status();
  memmove(to, from, bytes);
  return status();
}

int cudaMemset(void *memory, int value, size_t bytes) { return memset(memory, value, bytes), status(); }
int cudaMemsetAsync(void *memory, int value, size_t bytes, void *stream) { return cudaMemset(memory, value, bytes); }

int cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind, void *stream) {
  if (is_capturing && graph->count < MOST_COPIES) graph->copies[graph->count++] = (Copy){to, from, bytes};
  return is_capturing ? status() : cudaMemcpy(to, from, bytes, kind);
}

/* -- streams, events, kernels -------------------------------------------------------------------------------------- */

static int made(void **handle) { return *handle = calloc(1, 64), status(); }

int cudaStreamCreate(void **stream) { return made(stream); }
int cudaStreamCreateWithFlags(void **stream, unsigned flags) { return made(stream); }
int cudaEventCreate(void **event) { return made(event); }
int cudaEventCreateWithFlags(void **event, unsigned flags) { return made(event); }

int cudaStreamSynchronize(void *stream) {
  if (!stream) memmove(late.to, late.from, late.bytes), late.bytes = 0;
  return synchronisations++, status();
}

int cudaDeviceSynchronize(void) { return synchronisations++, status(); }
int cudaStreamIsCapturing(void *stream, int *answer) { return *answer = is_capturing, status(); }
int cudaLaunchHostFunc(void *stream, void (*function)(void *), void *argument) { return function(argument), status(); }

void **__cudaRegisterFatBinary(void *binary) {
  static void *handle[4];
  return handle;
}

/* -- graphs -------------------------------------------------------------------------------------------------------- */

int cudaStreamBeginCapture(void *stream, int mode) {
  if (!strcmp(setting("FAKE_CUDA_GRAPHS"), "refused")) return NOT_SUPPORTED;
  graph = calloc(1, sizeof *graph);
  is_capturing = 1;
  return status();
}

int cudaStreamEndCapture(void *stream, Graph **captured) {
  is_capturing = 0;
  *captured = graph;
  tell("captured", graph->count);
  return status();
}

int cudaGraphInstantiate(Graph **ready, Graph *captured) { return *ready = captured, status(); }

int cudaGraphLaunch(Graph *ready) {
  tell("launched", ready->count);
  for (int copy = 0; copy < ready->count && strcmp(setting("FAKE_CUDA_GRAPHS"), "empty"); copy++)
    memmove(ready->copies[copy].to, ready->copies[copy].from, ready->copies[copy].bytes);
  return status();
}
