/* A stand-in for NVIDIA's management library, with the calls that the binding makes and a file that says what they answer.
 *
 * The file is named by NVML_STANDIN and read anew at every call, so that a test can change the world under a running
 * sampler. Each line is `DEVICE WHAT VALUE`; DEVICE is a number, * for all, or - for the library; the last line that
 * fits wins. A VALUE of !N makes the call fail with error N. Example:
 *
 *     - count 2
 *     * name NVIDIA L4
 *     1 power !3
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUCCESS 0
#define INVALID_ARGUMENT 2
#define DEVICES 16
#define TEXT 128

typedef struct { int index; } device_t;
typedef struct { unsigned int gpu, memory; } utilization_t;
typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int version; int sensor; int degrees; } temperature_t;

static device_t devices[DEVICES];

static int fits(const char *who, int device) {
    if (device < 0) return strcmp(who, "-") == 0;
    return strcmp(who, "*") == 0 || (who[0] >= '0' && who[0] <= '9' && atoi(who) == device);
}

/* Write the value of a setting to `value`; return its error, or SUCCESS. */
static int look_up(int device, const char *what, const char *fallback, char *value) {
    char line[256], who[TEXT], which[TEXT], text[TEXT];
    const char *path = getenv("NVML_STANDIN");
    FILE *file = path ? fopen(path, "r") : NULL;
    snprintf(value, TEXT, "%s", fallback);
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%127s %127s %127[^\n]", who, which, text) != 3) continue;
        if (strcmp(which, what) == 0 && fits(who, device)) snprintf(value, TEXT, "%s", text);
    }
    if (file) fclose(file);
    return value[0] == '!' ? atoi(value + 1) : SUCCESS;
}

static int number(device_t *device, const char *what, const char *fallback, unsigned long long *value) {
    char text[TEXT];
    int lost = look_up(device->index, "lost", "0", text);
    if (lost) return lost;
    int error = look_up(device->index, what, fallback, text);
    if (!error) *value = strtoull(text, NULL, 10);
    return error;
}

static int small(device_t *device, const char *what, const char *fallback, unsigned int *value) {
    unsigned long long wide = 0;
    int error = number(device, what, fallback, &wide);
    if (!error) *value = (unsigned int)wide;
    return error;
}

int nvmlInitWithFlags(unsigned int flags) {
    char text[TEXT];
    (void)flags;
    return look_up(-1, "init", "0", text);
}

int nvmlShutdown(void) { return SUCCESS; }

int nvmlDeviceGetCount_v2(unsigned int *count) {
    char text[TEXT];
    int error = look_up(-1, "count", "0", text);
    if (!error) *count = (unsigned int)atoi(text);
    return error;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, device_t **device) {
    char text[TEXT];
    if (index >= DEVICES) return INVALID_ARGUMENT;
    devices[index].index = (int)index;
    *device = &devices[index];
    return look_up((int)index, "handle", "0", text);
}

int nvmlDeviceGetUUID(device_t *device, char *uuid, unsigned int length) {
    unsigned long long unused;
    int error = number(device, "uuid", "0", &unused);
    if (!error) snprintf(uuid, length, "GPU-00000000-0000-0000-0000-%012d", device->index);
    return error;
}

int nvmlDeviceGetName(device_t *device, char *name, unsigned int length) {
    char text[TEXT];
    int error = look_up(device->index, "name", "NVIDIA L4", text);
    if (!error) snprintf(name, length, "%s", text);
    return error;
}

int nvmlDeviceGetUtilizationRates(device_t *device, utilization_t *rates) {
    rates->memory = 0;
    return small(device, "utilisation", "0", &rates->gpu);
}

int nvmlDeviceGetMemoryInfo(device_t *device, memory_t *memory) {
    int error = number(device, "memory_total", "24152899584", &memory->total);
    if (!error) error = number(device, "memory_used", "0", &memory->used);
    memory->free = memory->total - memory->used;
    return error;
}

int nvmlDeviceGetPowerUsage(device_t *device, unsigned int *milliwatts) { return small(device, "power", "17000", milliwatts); }

int nvmlDeviceGetTemperatureV(device_t *device, temperature_t *temperature) {
    return small(device, "temperature", "35", (unsigned int *)&temperature->degrees);
}

/* The call that drivers before 570 know. */
int nvmlDeviceGetTemperature(device_t *device, int sensor, unsigned int *degrees) {
    (void)sensor;
    return small(device, "old_temperature", "!13", degrees);
}

int nvmlDeviceGetClockInfo(device_t *device, int type, unsigned int *megahertz) {
    return small(device, type == 2 ? "memory_clock" : "sm_clock", type == 2 ? "6251" : "2040", megahertz);
}

int nvmlDeviceGetCurrentClocksEventReasons(device_t *device, unsigned long long *reasons) {
    return number(device, "throttle", "0", reasons);
}

/* The call that drivers before 535 know. */
int nvmlDeviceGetCurrentClocksThrottleReasons(device_t *device, unsigned long long *reasons) {
    return number(device, "old_throttle", "!13", reasons);
}
