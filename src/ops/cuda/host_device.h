// Marks functions that run on the host and on a GPU.
#pragma once

#ifdef __CUDACC__
#define PEERLESS_HOST_DEVICE __host__ __device__
#else
#define PEERLESS_HOST_DEVICE
#endif
