/* The NVIDIA driver without a card: two cards that nothing can be done with. */

#include <string.h>

int cuInit(unsigned flags) { return 0; }
int cuDeviceGetCount(int *count) { return *count = 2, 0; }
int cuDeviceGet(int *device, int number) { return *device = number, 0; }
int cuDeviceGetName(char *name, int length, int device) { return strncpy(name, "Fake card", length), 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) { return *value = attribute == 75 ? 9 : 0, 0; }
int cuDriverGetVersion(int *version) { return *version = 13000, 0; }
