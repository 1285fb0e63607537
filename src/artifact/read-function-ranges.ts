/** Reads which function is where in native code, from the symbols of an artifact. */
import { STB_LOCAL, STT_FUNC } from '../elf/constants.ts';
import type { ElfFile, ElfSection } from '../elf/read-elf.ts';
import { type ElfSymbol, readSymbols } from '../elf/symbols.ts';
import type { FunctionRange } from './contents.ts';
import { invalidArtifact } from './wasm-notes.ts';

/** Returns the symbols of functions by section index, each list in order of address. */
export function readFunctionSymbols(elf: ElfFile): Map<number, ElfSymbol[]> {
  const bySection = new Map<number, ElfSymbol[]>();
  for (const symbol of readSymbols(elf)) {
    if (symbol.type !== STT_FUNC || symbol.binding !== STB_LOCAL) continue;
    const list = bySection.get(symbol.sectionIndex);
    if (list) list.push(symbol);
    else bySection.set(symbol.sectionIndex, [symbol]);
  }
  for (const list of bySection.values()) list.sort((a, b) => a.value - b.value);
  return bySection;
}

/**
 * Returns the function ranges of a section.
 *
 * @param symbols those of the section, in order of address
 * @param runs see `NativeDescription.functions`
 * @throws INVALID_ARTIFACT if symbols and runs do not match, or a symbol is outside of the section
 */
export function readFunctionRanges(
  { file }: ElfFile,
  section: ElfSection,
  symbols: readonly ElfSymbol[],
  runs: readonly number[],
): FunctionRange[] {
  const counts = runs.filter((_, position) => position % 2 === 1);
  const described = counts.reduce((sum, count) => sum + count, 0);
  if (runs.length % 2 !== 0 || described !== symbols.length) {
    throw invalidArtifact(
      file,
      `section ${section.name} has ${symbols.length} function symbols, but its description has ${described}`,
    );
  }
  const ranges: FunctionRange[] = [];
  let run = 0;
  let position = 0;
  for (const { name, value, size } of symbols) {
    while (position >= (runs[run + 1] ?? Infinity)) {
      run += 2;
      position = 0;
    }
    const offset = value - section.address;
    if (offset < 0 || size === 0 || offset + size > section.size) {
      throw invalidArtifact(
        file,
        `symbol ${name} is outside of section ${section.name}: it has ${size} bytes at ${offset} of ${section.size}`,
      );
    }
    ranges.push({ index: (runs[run] ?? 0) + position, offset, size });
    position += 1;
  }
  return ranges;
}
