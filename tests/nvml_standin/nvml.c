/* A stand-in for NVIDIA's management library, with the calls that the binding makes and a file that says what they answer.
 *
 * The file is named by NVML_STANDIN and read anew at every call, so that a test can change the world under a running
 * sampler. Each line is `WHO WHAT VALUE`; WHO is the number of a device, DEVICE.SLICE for a MIG slice, * for all of both,
 * or - for the library; the last line that fits wins. A VALUE of !N makes the call fail with error N. Example:
 *
 *     - count 2
 *     * name NVIDIA L4
 *     1 power !3
 *     0 processes 4711:1073741824:35,4712:-1:0     (pid:bytes, -1 for not told:percent of time with a kernel running)
 *     1 slices 3,2,1                               (MIG: compute slices of each)
 *     0 xids 79,48                                 (all so far; each is told once to whoever registered before)
 *     - clock 1700000000000000                     (microseconds; else that of the system)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define SUCCESS 0
#define INVALID_ARGUMENT 2
#define NOT_SUPPORTED 3
#define NOT_FOUND 6
#define INSUFFICIENT_SIZE 7
#define TIMEOUT 10
#define DEVICES 16
#define SLICES 7
#define LISTED 64
#define TEXT 1024
#define XID_EVENT 8ULL

typedef struct { int index, slice; } device_t;
typedef struct { unsigned int gpu, memory; } utilization_t;
typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int version; int sensor; int degrees; } temperature_t;
typedef struct { unsigned int pid; unsigned long long memory; unsigned int gpu_instance, compute_instance; } process_t;
typedef struct { unsigned int pid; unsigned long long at; unsigned int sm, memory, encoder, decoder; } process_use_t;
typedef struct { unsigned int multiprocessors, copy, decoders, encoders, jpeg, ofa, gpu_slices, compute_slices; unsigned long long memory_mb; } attributes_t;
typedef struct { device_t *device; unsigned int told; } events_t;
typedef struct { device_t *device; unsigned long long type, data; unsigned int gpu_instance, compute_instance; } event_t;

static device_t devices[DEVICES], slices[DEVICES][SLICES];

static int fits(const char *who, int device, int slice) {
    char name[32];
    if (device < 0) return strcmp(who, "-") == 0;
    if (strcmp(who, "*") == 0) return 1;
    if (slice < 0) snprintf(name, sizeof name, "%d", device);
    else snprintf(name, sizeof name, "%d.%d", device, slice);
    return strcmp(who, name) == 0;
}

/* Write the value of a setting to `value`; return its error, or SUCCESS. */
static int look_up(int device, int slice, const char *what, const char *fallback, char *value) {
    char line[TEXT + 64], who[32], which[64], text[TEXT];
    const char *path = getenv("NVML_STANDIN");
    FILE *file = path ? fopen(path, "r") : NULL;
    snprintf(value, TEXT, "%s", fallback);
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%31s %63s %1023[^\n]", who, which, text) != 3) continue;
        if (strcmp(which, what) == 0 && fits(who, device, slice)) snprintf(value, TEXT, "%s", text);
    }
    if (file) fclose(file);
    return value[0] == '!' ? atoi(value + 1) : SUCCESS;
}

/* The same of a device; a lost one, or a slice of a lost one, answers nothing. */
static int text_of(device_t *device, const char *what, const char *fallback, char *value) {
    int lost = look_up(device->index, -1, "lost", "0", value);
    return lost ? lost : look_up(device->index, device->slice, what, fallback, value);
}

static int number(device_t *device, const char *what, const char *fallback, unsigned long long *value) {
    char text[TEXT];
    int error = text_of(device, what, fallback, text);
    if (!error) *value = strtoull(text, NULL, 10);
    return error;
}

static int small(device_t *device, const char *what, const char *fallback, unsigned int *value) {
    unsigned long long wide = 0;
    int error = number(device, what, fallback, &wide);
    if (!error) *value = (unsigned int)wide;
    return error;
}

/* What a slice does not tell: the sensors of the whole GPU. */
static int of_whole(device_t *device, const char *what, const char *fallback, unsigned int *value) {
    return device->slice >= 0 ? NOT_SUPPORTED : small(device, what, fallback, value);
}

/* Write the numbers of a list such as 3,2,1; return how many there are. */
static unsigned int listed(char *text, unsigned long long *values) {
    unsigned int count = 0;
    char *rest = NULL;
    for (char *one = strtok_r(text, ",", &rest); one && count < LISTED; one = strtok_r(NULL, ",", &rest)) values[count++] = strtoull(one, NULL, 10);
    return count;
}

int nvmlInitWithFlags(unsigned int flags) {
    char text[TEXT];
    (void)flags;
    return look_up(-1, -1, "init", "0", text);
}

int nvmlShutdown(void) { return SUCCESS; }

int nvmlDeviceGetCount_v2(unsigned int *count) {
    char text[TEXT];
    int error = look_up(-1, -1, "count", "0", text);
    if (!error) *count = (unsigned int)atoi(text);
    return error;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, device_t **device) {
    char text[TEXT];
    if (index >= DEVICES) return INVALID_ARGUMENT;
    devices[index].index = (int)index;
    devices[index].slice = -1;
    *device = &devices[index];
    return text_of(*device, "handle", "0", text);
}

int nvmlDeviceGetUUID(device_t *device, char *uuid, unsigned int length) {
    unsigned long long unused;
    int error = number(device, "uuid", "0", &unused);
    if (error) return error;
    if (device->slice < 0) snprintf(uuid, length, "GPU-00000000-0000-0000-0000-%012d", device->index);
    else snprintf(uuid, length, "MIG-00000000-0000-0000-%04d-%012d", device->slice, device->index);
    return SUCCESS;
}

int nvmlDeviceGetName(device_t *device, char *name, unsigned int length) {
    char text[TEXT];
    int error = look_up(device->index, device->slice, "name", "NVIDIA L4", text);
    if (!error) snprintf(name, length, "%s", text);
    return error;
}

int nvmlDeviceGetUtilizationRates(device_t *device, utilization_t *rates) {
    int error = of_whole(device, "utilisation", "0", &rates->gpu);
    return error ? error : of_whole(device, "memory_utilisation", "0", &rates->memory);
}

int nvmlDeviceGetMemoryInfo(device_t *device, memory_t *memory) {
    int error = number(device, "memory_total", "24152899584", &memory->total);
    if (!error) error = number(device, "memory_used", "0", &memory->used);
    memory->free = memory->total - memory->used;
    return error;
}

int nvmlDeviceGetPowerUsage(device_t *device, unsigned int *milliwatts) { return of_whole(device, "power", "17000", milliwatts); }

int nvmlDeviceGetTotalEnergyConsumption(device_t *device, unsigned long long *millijoules) {
    return device->slice >= 0 ? NOT_SUPPORTED : number(device, "energy", "!3", millijoules);
}

int nvmlDeviceGetTemperatureV(device_t *device, temperature_t *temperature) {
    return of_whole(device, "temperature", "35", (unsigned int *)&temperature->degrees);
}

/* The call that drivers before 570 know. */
int nvmlDeviceGetTemperature(device_t *device, int sensor, unsigned int *degrees) {
    (void)sensor;
    return of_whole(device, "old_temperature", "!13", degrees);
}

int nvmlDeviceGetClockInfo(device_t *device, int type, unsigned int *megahertz) {
    return of_whole(device, type == 2 ? "memory_clock" : "sm_clock", type == 2 ? "6251" : "2040", megahertz);
}

int nvmlDeviceGetCurrentClocksEventReasons(device_t *device, unsigned long long *reasons) {
    return device->slice >= 0 ? NOT_SUPPORTED : number(device, "throttle", "0", reasons);
}

/* The call that drivers before 535 know. */
int nvmlDeviceGetCurrentClocksThrottleReasons(device_t *device, unsigned long long *reasons) {
    return number(device, "old_throttle", "!13", reasons);
}

int nvmlDeviceGetPcieThroughput(device_t *device, int counter, unsigned int *kilobytes) {
    return of_whole(device, counter ? "pcie_received" : "pcie_sent", "!3", kilobytes);
}

int nvmlDeviceGetTotalEccErrors(device_t *device, int type, int counter, unsigned long long *count) {
    (void)counter;
    return number(device, type ? "ecc_uncorrected" : "ecc_corrected", "!3", count);
}

/* Read the list of processes; return an error, or SUCCESS with how many there are and what each is. */
static int processes(device_t *device, unsigned int *count, process_t *found, unsigned int *sm) {
    char text[TEXT], *rest = NULL;
    int error = text_of(device, "processes", "", text);
    *count = 0;
    if (error) return error;
    for (char *one = strtok_r(text, ",", &rest); one && *count < LISTED; one = strtok_r(NULL, ",", &rest)) {
        long long memory = 0;
        memset(&found[*count], 0, sizeof *found);
        sm[*count] = 0;
        sscanf(one, "%u:%lld:%u", &found[*count].pid, &memory, &sm[*count]);
        found[(*count)++].memory = (unsigned long long)memory; /* -1 is how NVML says that it does not tell */
    }
    return SUCCESS;
}

static int running(device_t *device, unsigned int *count, process_t *into) {
    process_t found[LISTED];
    unsigned int there, sm[LISTED], room = *count;
    int error = processes(device, &there, found, sm);
    if (error) return error;
    *count = there;
    if (room < there) return INSUFFICIENT_SIZE;
    if (there) memcpy(into, found, there * sizeof *found);
    return SUCCESS;
}

int nvmlDeviceGetComputeRunningProcesses_v3(device_t *device, unsigned int *count, process_t *into) {
    char text[TEXT];
    int error = text_of(device, "newer_processes", "0", text);
    return error ? error : running(device, count, into);
}

/* The call that drivers before 510 know. */
int nvmlDeviceGetComputeRunningProcesses_v2(device_t *device, unsigned int *count, process_t *into) { return running(device, count, into); }

/* One look at each process that ran something, taken now; the clock is the driver's own. */
int nvmlDeviceGetProcessUtilization(device_t *device, process_use_t *into, unsigned int *count, unsigned long long since) {
    process_t found[LISTED];
    unsigned int there, busy = 0, sm[LISTED], room = *count;
    char text[TEXT];
    struct timeval system;
    unsigned long long now;
    int error = text_of(device, "process_utilisation", "0", text);
    if (error) return error;
    if (device->slice >= 0) return NOT_SUPPORTED;
    if ((error = processes(device, &there, found, sm))) return error;
    gettimeofday(&system, NULL);
    look_up(-1, -1, "clock", "0", text);
    now = strtoull(text, NULL, 10);
    if (!now) now = (unsigned long long)system.tv_sec * 1000000ULL + (unsigned long long)system.tv_usec;
    for (unsigned int i = 0; i < there; i++) busy += sm[i] > 0;
    if (!busy || now <= since) return NOT_FOUND;
    *count = busy;
    if (!into || room < busy) return INSUFFICIENT_SIZE;
    memset(into, 0, busy * sizeof *into);
    for (unsigned int i = 0, place = 0; i < there; i++) {
        if (!sm[i]) continue;
        into[place].pid = found[i].pid;
        into[place].at = now;
        into[place++].sm = sm[i];
    }
    return SUCCESS;
}

int nvmlDeviceGetMigMode(device_t *device, unsigned int *current, unsigned int *pending) {
    char text[TEXT];
    int error = text_of(device, "slices", "!3", text);
    if (!error) *current = *pending = 1;
    return error;
}

int nvmlDeviceGetMaxMigDeviceCount(device_t *device, unsigned int *count) { return small(device, "most_slices", "7", count); }

int nvmlDeviceGetMigDeviceHandleByIndex(device_t *device, unsigned int index, device_t **slice) {
    char text[TEXT];
    unsigned long long sizes[LISTED];
    int error = text_of(device, "slices", "!3", text);
    if (error) return error;
    if (index >= SLICES || index >= listed(text, sizes)) return NOT_FOUND;
    slices[device->index][index].index = device->index;
    slices[device->index][index].slice = (int)index;
    *slice = &slices[device->index][index];
    return SUCCESS;
}

int nvmlDeviceGetAttributes_v2(device_t *device, attributes_t *attributes) {
    char text[TEXT];
    unsigned long long sizes[LISTED];
    int error = device->slice < 0 ? NOT_SUPPORTED : look_up(device->index, -1, "slices", "!3", text);
    if (error) return error;
    memset(attributes, 0, sizeof *attributes);
    listed(text, sizes);
    attributes->gpu_slices = attributes->compute_slices = (unsigned int)sizes[device->slice];
    return SUCCESS;
}

int nvmlDeviceGetSupportedEventTypes(device_t *device, unsigned long long *types) { return number(device, "events", "8", types); }

int nvmlEventSetCreate(events_t **set) {
    *set = calloc(1, sizeof **set);
    return SUCCESS;
}

static int xids(device_t *device, unsigned long long *errors, unsigned int *count) {
    char text[TEXT];
    int error = look_up(device->index, -1, "xids", "", text);
    *count = error ? 0 : listed(text, errors);
    return error;
}

int nvmlDeviceRegisterEvents(device_t *device, unsigned long long types, events_t *set) {
    unsigned long long errors[LISTED];
    char text[TEXT];
    int error = text_of(device, "register", "0", text);
    if (error) return error;
    if (!(types & XID_EVENT)) return INVALID_ARGUMENT;
    set->device = device;
    return xids(device, errors, &set->told);
}

int nvmlEventSetWait_v2(events_t *set, event_t *event, unsigned int milliseconds) {
    unsigned long long errors[LISTED];
    unsigned int count;
    char text[TEXT];
    (void)milliseconds;
    xids(set->device, errors, &count);
    if (set->told >= count) {
        int error = look_up(set->device->index, -1, "wait", "0", text);
        return error ? error : TIMEOUT;
    }
    memset(event, 0, sizeof *event);
    event->device = set->device;
    event->type = XID_EVENT;
    event->data = errors[set->told++];
    return SUCCESS;
}

int nvmlEventSetFree(events_t *set) {
    free(set);
    return SUCCESS;
}
