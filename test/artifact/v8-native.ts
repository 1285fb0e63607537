import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import type { ArtifactContents } from '../../src/artifact/contents.ts';
import { findInstructions } from '../../src/v8/layout.ts';
import { readModule } from '../../src/wasm/binary/module.ts';

const CHILD = `
const [wire, output] = process.argv.slice(1);
const fs = require('node:fs');
const v8 = require('node:v8');
const flags = ['liftoff', 'wasm-lazy-compilation', 'wasm-dynamic-tiering'];
if (Number.parseInt(process.versions.v8, 10) >= 13) {
  flags.push('wasm-inlining', 'wasm-inlining-call-indirect', 'wasm-deopt');
}
for (const flag of flags) v8.setFlagsFromString('--no-' + flag);
const module = new WebAssembly.Module(fs.readFileSync(wire));
v8.setFlagsFromString('--allow-natives-syntax');
fs.writeFileSync(output, Buffer.from(new Function('module', 'return %SerializeWasmModule(module)')(module)));
`;

/** A real wasm module with all its native code, made by the Node that runs the tests. */
export function nativeContents(wasmFile: string): ArtifactContents {
  const wire = readFileSync(wasmFile);
  const { imports, importedFunctions, functions: declared } = readModule(wire, wasmFile);
  const directory = mkdtempSync(path.join(tmpdir(), 'native-'));
  try {
    const output = path.join(directory, 'native');
    execFileSync(process.execPath, ['-e', CHILD, wasmFile, output], { stdio: 'inherit' });
    const bytes = readFileSync(output);
    const version = process.versions.v8;
    const functions = findInstructions(bytes, version, { importedFunctions, functions: declared });
    if (!functions) throw new Error(`native code does not have the layout expected for V8 ${version}`);
    return {
      producer: 'unplugin-wasm-precompile 0.1.0',
      machine: process.arch === 'arm64' ? 'arm64' : 'x64',
      name: path.basename(wasmFile, '.wasm'),
      sourceSha256: '0'.repeat(64),
      wire,
      interface: imports.map(({ module, name, kind }) => ({ module, name, kind })),
      functionNames: new Map([[importedFunctions, 'the first declared function']]),
      native: [
        {
          engine: `v8-${version}-${process.platform}-${process.arch}-00000000-${crc32(version).toString(16).padStart(8, '0')}`,
          version: `v8-${version.split('-', 1)[0]}`,
          release: `node ${process.versions.node}`,
          cpu: { level: 'host', needs: 0, features: '', trial: '', versionTag: 0 },
          bytes,
          functions,
          statistics: {
            functions: declared,
            compiled: functions.length,
            codeSize: functions.reduce((sum, { size }) => sum + size, 0),
          },
        },
      ],
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
