/* TensorRT 10 without TensorRT: its objects give others, and its parser can take no part of any. */

static long nothing(void) { return 0; }
static void *something(void);

#define EIGHT(method) method, method, method, method, method, method, method, method
#define MANY(method) EIGHT(method), EIGHT(method), EIGHT(method), EIGHT(method), EIGHT(method), EIGHT(method)
static void *giving[] = {MANY(something), MANY(something)};
static void *silent[] = {MANY(nothing), MANY(nothing)};
static void *parser[] = {silent};
/* The objects of the core have their methods in an object of their own, to which their second word points. */
static void *inner[] = {giving}, *core[] = {giving, inner};

static void *something(void) { return core; }

void *createInferBuilder_INTERNAL(void) { return core; }
void *createInferRefitter_INTERNAL(void) { return core; }
void *createInferRuntime_INTERNAL(void) { return core; }
void *createNvOnnxParser_INTERNAL(void) { return parser; }
void *createNvOnnxParserRefitter_INTERNAL(void) { return parser; }
void *getPluginRegistry(void) { return parser; }
int initLibNvInferPlugins(void) { return 1; }
int getInferLibVersion(void) { return 101303; }
