/** A fictitious benchmark result, for tests of the page. */
import {
  BENCH_MODES,
  type BenchMode,
  type BenchResult,
  type BenchSample,
  type BenchSamples,
} from '../../src/report/report-data.ts';

const NODES = ['20.20.2', '22.22.0', '24.12.0', '26.10.0'];

/** Milliseconds of a baseline startup, and the speedup of the other modes. */
const MODULES = [
  { name: 'sql.js', toolchain: 'C, Emscripten', note: '', wasmSize: 688_197, total: 45, better: 2.6 },
  { name: 'resvg', toolchain: 'Rust, wasm-bindgen', note: '', wasmSize: 2_480_000, total: 62, better: 2.2 },
  {
    name: 'swc',
    toolchain: 'Rust, wasm-bindgen',
    note: 'large',
    wasmSize: 18_000_000,
    total: 190,
    better: 1.7,
  },
  { name: 'esbuild', toolchain: 'Go', note: 'one memory', wasmSize: 14_100_000, total: 480, better: 3.1 },
  { name: 'tiny', toolchain: 'Wat', note: 'very small', wasmSize: 412, total: 0.62, better: 0.8 },
  { name: 'simd-blur', toolchain: 'C++', note: 'SIMD', wasmSize: 310_000, total: 12, better: 1.4 },
];

/** Pseudorandom numbers from 0 to 1, the same in each run (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function createBenchResult(): BenchResult {
  const random = createRandom(5);
  /** Occasional outliers, as on a busy machine. */
  const noise = () => 1 + random() * 0.08 + (random() > 0.9 ? random() * 0.4 : 0);

  const speed: Readonly<Record<BenchMode, (better: number) => number>> = {
    baseline: () => 1,
    precompiled: (better) => better,
    unsplit: (better) => better * 1.2,
    profile: (better) => better * 1.3,
    warm: (better) => better * 2.4,
  };

  function sample(total: number, wasmSize: number, mode: BenchMode): BenchSample {
    const scaled = total * noise();
    return {
      load: scaled * 0.3,
      instantiate: scaled * 0.05,
      call: scaled * (mode === 'baseline' ? 0.65 : 0.15),
      total: scaled,
      blocked: scaled * 0.8,
      peakMemory: (48e6 + wasmSize * (mode === 'baseline' ? 4 : 6)) * noise(),
    };
  }

  const samplesOf = (
    { total, better, wasmSize }: (typeof MODULES)[number],
    mode: BenchMode,
  ): BenchSamples => ({
    loaded: mode === 'baseline' ? 'compiled' : 'precompiled, mapped',
    samples: Array.from({ length: 11 }, () => sample(total / speed[mode](better), wasmSize, mode)),
  });

  return {
    machine: 'linux x64, Intel(R) Xeon(R) Processor × 2, 24 GiB',
    date: '2026-11-24',
    command: 'npm run bench',
    rounds: 11,
    modules: MODULES.map(({ name, toolchain, note, wasmSize }) => ({ name, toolchain, note, wasmSize })),
    cases: MODULES.flatMap((module) =>
      NODES.map((node) => ({
        module: module.name,
        node,
        modes: {
          baseline: samplesOf(module, 'baseline'),
          precompiled: samplesOf(module, 'precompiled'),
          unsplit: samplesOf(module, 'unsplit'),
          profile:
            module.name === 'esbuild' && node.startsWith('20')
              ? { missing: 'the process was killed after its time limit of 60 s <script>alert(1)</script>' }
              : samplesOf(module, 'profile'),
          warm: samplesOf(module, 'warm'),
        },
      })),
    ),
    builds: MODULES.slice(0, 4).flatMap(({ name, wasmSize }) =>
      (['baseline', 'precompiled', 'profile'] as const).map((mode) => ({
        module: name,
        mode,
        coldSeconds: 0.6 + (mode === 'baseline' ? 0 : wasmSize / 9e5) * noise(),
        cachedSeconds: 0.6 + (mode === 'profile' ? 0.9 : 0.1) * noise(),
        outputSize: wasmSize * (mode === 'baseline' ? 1 : 3.6),
        nativeSize: mode === 'baseline' ? 0 : wasmSize * 2.6,
      })),
    ),
    growth: NODES.slice(2).flatMap((node) =>
      BENCH_MODES.flatMap((mode) =>
        [1e5, 3e5, 1e6, 3e6, 1e7, 5e7].map((wasmSize) => ({
          node,
          mode,
          wasmSize,
          fileSize: wasmSize * (mode === 'baseline' ? 1 : 4.1),
          buildSeconds: 0.5 + wasmSize / 1e6,
          load: ((0.4 + wasmSize / 4e5) * noise()) / speed[mode](1.5),
          total: ((1 + wasmSize / 1e5) * noise()) / speed[mode](2.5),
          peakMemory: 45e6 + wasmSize * 5,
        })),
      ),
    ),
    missing: ['Node 23 is missing: it could not be installed.'],
    peers: ['sql.js', 'swc'].flatMap((module, index) =>
      [
        'unplugin-wasm-precompile 0.1.0',
        'Vite 8.3.8',
        'vite-plugin-wasm 3.5.0',
        'unwasm 0.3.11',
        '@rollup/plugin-wasm 6.2.2',
        'webpack 5.104.1',
      ].map((peer, place) => ({
        peer,
        module,
        node: '26.10.0',
        outcome:
          peer.startsWith('unwasm') && index === 0
            ? { missing: 'its import object cannot be given' }
            : {
                totals: Array.from({ length: 11 }, () => (place === 0 ? 17 : 44) * (1 + index * 3) * noise()),
                outputSize: place === 0 ? 5.7e6 : 0.7e6,
              },
      })),
    ),
  };
}
