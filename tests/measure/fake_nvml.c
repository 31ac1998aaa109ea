/* A tiny stand-in for libnvidia-ml: one GPU whose answers and refusals the test sets.
 *
 * Layouts and numbers as in nvml.h. OLD_DRIVER leaves out what drivers before 535 do not have.
 */
#include <stdint.h>
#include <string.h>

typedef void *device_t;
static char gpu, slice;

static struct { char name[64]; int code; } refusals[64];
static int refused;
static unsigned processes[8][2]; /* pid, MiB; all ones for "not told" */
static unsigned process_count, mig_mode, persistence, compute_mode;
static unsigned long long capped[2]; /* ns, by power and by temperature */
static unsigned long long reasons;

void fake_reset(void) {
    refused = 0;
    process_count = mig_mode = persistence = compute_mode = 0;
    capped[0] = capped[1] = 0;
    reasons = 0;
}
void fake_refuse(const char *name, int code) {
    strncpy(refusals[refused].name, name, 63);
    refusals[refused++].code = code;
}
void fake_process(unsigned pid, unsigned mib) {
    processes[process_count][0] = pid;
    processes[process_count++][1] = mib;
}
void fake_mig(unsigned mode) { mig_mode = mode; }
void fake_persistence(unsigned mode) { persistence = mode; }
void fake_compute_mode(unsigned mode) { compute_mode = mode; }
void fake_capped(unsigned policy, unsigned long long ns) { capped[policy] = ns; }
void fake_reasons(unsigned long long bits) { reasons = bits; }

static int refusal(const char *name) {
    for (int i = 0; i < refused; i++)
        if (!strcmp(refusals[i].name, name)) return refusals[i].code;
    return 0;
}
#define ASKED(device) \
    do { \
        int code = refusal(__func__); \
        if (code) return code; \
        if ((device) != (device_t)&gpu) return 2; /* invalid argument: not the whole GPU's handle */ \
    } while (0)

int nvmlInitWithFlags(unsigned flags) { return flags ? 2 : refusal(__func__); }
int nvmlSystemGetDriverVersion(char *version, unsigned length) {
    strncpy(version, "570.86.10", length);
    return refusal(__func__);
}
const char *nvmlErrorString(int code) { return code == 17 ? "operating system call failed" : "some error"; }

int nvmlDeviceGetHandleByUUID(const char *uuid, device_t *device) {
    int code = refusal(__func__);
    if (code) return code;
    if (!strcmp(uuid, "GPU-11111111-2222-3333-4444-555555555555")) *device = &gpu;
    else if (!strcmp(uuid, "MIG-99999999-2222-3333-4444-555555555555")) *device = &slice;
    else return 6; /* not found */
    return 0;
}
int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(device_t part, device_t *device) {
    if (part != (device_t)&slice) return 2;
    *device = &gpu;
    return refusal(__func__);
}
int nvmlDeviceGetMigMode(device_t device, unsigned *current, unsigned *pending) {
    ASKED(device);
    *current = *pending = mig_mode;
    return 0;
}
int nvmlDeviceGetClockInfo(device_t device, int kind, unsigned *mhz) {
    ASKED(device);
    *mhz = kind == 1 ? 1755 : kind == 2 ? 2619 : 0;
    return 0;
}
int nvmlDeviceGetMaxClockInfo(device_t device, int kind, unsigned *mhz) {
    ASKED(device);
    *mhz = kind == 1 ? 1980 : kind == 2 ? 2620 : 0;
    return 0;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(device_t device, unsigned long long *bits) {
    ASKED(device);
    *bits = reasons;
    return 0;
}
int nvmlDeviceGetPowerUsage(device_t device, unsigned *milliwatts) { ASKED(device); *milliwatts = 350500; return 0; }
int nvmlDeviceGetEnforcedPowerLimit(device_t device, unsigned *milliwatts) { ASKED(device); *milliwatts = 700000; return 0; }
int nvmlDeviceGetTotalEnergyConsumption(device_t device, unsigned long long *millijoules) {
    ASKED(device);
    *millijoules = 5000000000123ull;
    return 0;
}
int nvmlDeviceGetTemperature(device_t device, int sensor, unsigned *celsius) {
    ASKED(device);
    *celsius = sensor ? 0 : 61;
    return 0;
}
int nvmlDeviceGetPersistenceMode(device_t device, unsigned *mode) { ASKED(device); *mode = persistence; return 0; }

int nvmlDeviceGetComputeMode(device_t device, unsigned *mode) { ASKED(device); *mode = compute_mode; return 0; }
typedef struct { unsigned long long reference_us, violation_ns; } violation_t;
int nvmlDeviceGetViolationStatus(device_t device, int policy, violation_t *status) {
    ASKED(device);
    if (policy > 1) return 3; /* not supported */
    *status = (violation_t){1000000, capped[policy]};
    return 0;
}
typedef struct { unsigned gpu, memory; } utilization_t;
int nvmlDeviceGetUtilizationRates(device_t device, utilization_t *rates) {
    ASKED(device);
    rates->gpu = 97;
    rates->memory = 42;
    return 0;
}
typedef struct { unsigned long long total, free, used; } memory_t;
int nvmlDeviceGetMemoryInfo(device_t device, memory_t *memory) {
    ASKED(device);
    *memory = (memory_t){80ull << 30, 69ull << 30, 11ull << 30};
    return 0;
}
typedef struct { unsigned pid; unsigned long long bytes; unsigned gi, ci; } process_t;
int nvmlDeviceGetComputeRunningProcesses_v3(device_t device, unsigned *count, process_t *found) {
    ASKED(device);
    unsigned room = *count;
    *count = process_count;
    if (room < process_count) return 7; /* insufficient size */
    for (unsigned i = 0; i < process_count; i++) {
        unsigned mib = processes[i][1];
        found[i] = (process_t){processes[i][0], mib == ~0u ? ~0ull : (unsigned long long)mib << 20, ~0u, ~0u};
    }
    return 0;
}
typedef struct {
    uint32_t field, scope;
    int64_t timestamp, latency;
    uint32_t type, result;
    union { double d; unsigned ui; unsigned long long ull; } value;
} field_t;
int nvmlDeviceGetFieldValues(device_t device, int count, field_t *fields) {
    ASKED(device);
    for (int i = 0; i < count; i++) {
        fields[i].result = fields[i].field == 186 ? refusal("field 186") : 3;
        fields[i].value.ull = 0;
        fields[i].value.ui = 401250;
    }
    return 0;
}
#ifndef OLD_DRIVER
int nvmlDeviceGetCurrentClocksEventReasons(device_t device, unsigned long long *bits) {
    ASKED(device);
    *bits = reasons;
    return 0;
}
typedef struct { unsigned version, sensor; int celsius; } temperature_t;
int nvmlDeviceGetTemperatureV(device_t device, temperature_t *temperature) {
    ASKED(device);
    if (temperature->version != 0x100000C) return 25;
    temperature->celsius = temperature->sensor ? 0 : 62;
    return 0;
}
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory_v2_t;
int nvmlDeviceGetMemoryInfo_v2(device_t device, memory_v2_t *memory) {
    ASKED(device);
    if (memory->version != 0x2000028) return 25;
    *memory = (memory_v2_t){memory->version, 80ull << 30, 1ull << 30, 69ull << 30, 10ull << 30};
    return 0;
}
#endif
