// Measures the processor's frequency early, so that V8 does not do it while it deserializes.
//
// V8's locks (absl's since V8 13) measure it before a thread blocks on one of them for the first time in a process,
// and sleep 3 ms for that. Deserializing takes such locks.

#ifndef WASM_PRECOMPILE_CLOCK_H_
#define WASM_PRECOMPILE_CLOCK_H_

// Starts a thread that measures the frequency, once in a process. Does nothing if absl's function cannot be found.
void MeasureClock();

#endif  // WASM_PRECOMPILE_CLOCK_H_
