/* Stands in for an ONNX Runtime that is too old: reports 1.10.0 and offers no table. */
typedef struct {
  const void* (*get_api)(unsigned version);
  const char* (*get_version)(void);
} api_base_t;

static const void* get_api(unsigned version) {
  (void)version;
  return 0;
}
static const char* get_version(void) { return "1.10.0"; }
static const api_base_t base = {get_api, get_version};

__attribute__((visibility("default"))) const api_base_t* OrtGetApiBase(void) { return &base; }
