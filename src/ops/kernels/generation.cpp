#include "src/ops/kernels/generation.h"

#include "src/ops/kernels/kernel.h"

namespace peerless::kernels {
namespace {

// Versions by hand of what PEERLESS_CLONES makes by itself: the same loader picks among them.
#ifdef PEERLESS_HAS_CLONES
__attribute__((target("arch=x86-64-v4"))) const char* own_name() { return "x86-64-v4"; }
__attribute__((target("arch=x86-64-v3"))) const char* own_name() { return "x86-64-v3"; }
__attribute__((target("default"))) const char* own_name() { return "baseline"; }
#else
const char* own_name() { return "baseline"; }
#endif

}  // namespace

const char* generation() { return own_name(); }

}  // namespace peerless::kernels
