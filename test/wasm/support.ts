import { readFile } from 'node:fs/promises';

export { wat as assemble } from '../support/wat.ts';

/** The part of V8's API that tests compare with. TypeScript has these types only in its DOM library. */
interface Engine {
  validate(bytes: Uint8Array): boolean;
  Module: {
    new (bytes: Uint8Array): object;
    imports(module: object): { module: string; name: string; kind: string }[];
    exports(module: object): { name: string; kind: string }[];
    customSections(module: object, name: string): ArrayBuffer[];
  };
}

declare const WebAssembly: Engine;

/** V8 itself. */
export const engine: Engine = WebAssembly;

export const PREAMBLE = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/** A section of less than 128 bytes. */
export function section(id: number, ...content: number[]): number[] {
  return [id, content.length, ...content];
}

/** A name of less than 128 bytes. */
export function name(text: string): number[] {
  const bytes = new TextEncoder().encode(text);
  return [bytes.length, ...bytes];
}

export function custom(title: string, ...content: number[]): number[] {
  return section(0, ...name(title), ...content);
}

/** A module of hand-assembled sections. */
export function moduleOf(...sections: number[][]): Uint8Array {
  return Uint8Array.from([PREAMBLE, ...sections].flat());
}

/** Modules of npm packages: made by wasm-bindgen, Go and Emscripten. */
export const PACKAGES = [
  '@swc/wasm-web/wasm_bg.wasm',
  '@resvg/resvg-wasm/index_bg.wasm',
  'esbuild-wasm/esbuild.wasm',
  'sql.js/dist/sql-wasm.wasm',
  'sql.js/dist/sql-wasm-debug.wasm',
];

/** Reads a file of a package in node_modules. */
export function readPackage(path: string): Promise<Uint8Array> {
  return readFile(new URL(`../../node_modules/${path}`, import.meta.url));
}
