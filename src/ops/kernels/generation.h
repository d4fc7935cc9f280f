// Which of the clones of PEERLESS_CLONES runs here.
#pragma once

namespace peerless::kernels {

// "x86-64-v4", "x86-64-v3", or "baseline": what the compiler makes for every processor of its kind.
const char* generation();

}  // namespace peerless::kernels
