// Deserializes on another thread. V8 deserializes in one piece, on the calling thread: 43 MB of native code would
// block the main thread for 60 ms. A worker does it instead and posts the module; the threads share its code.

#ifndef WASM_PRECOMPILE_DESERIALIZATION_WORKER_H_
#define WASM_PRECOMPILE_DESERIALIZATION_WORKER_H_

// Bytes of native code from which on a worker deserializes. With fewer, a worker takes longer to start than the thread
// pool to prefetch, and the load as a whole would take longer (`npm run bench:blocked`).
inline constexpr double kMinWorkerSize = 32 << 20;

#endif  // WASM_PRECOMPILE_DESERIALIZATION_WORKER_H_
