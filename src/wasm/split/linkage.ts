/** The exports that link the modules of a split: the primary adds them, and every secondary imports them. */
import {
  absentExport,
  FUNCTIONS_EXPORT,
  HOOK_EXPORT,
  SPLIT,
  START_EXPORT,
} from '../../runtime/shared/split-names.ts';
import { encodeUnsigned } from '../binary/leb128.ts';
import type { SplitAnalysis } from './analyse-split.ts';
import { ExternalKind, STATE_KINDS, type StateKind } from './module-layout.ts';
import type { ModuleWriter } from './module-writer.ts';
import { FUNCREF, I32, MUTABLE, WITH_MAXIMUM } from './opcodes.ts';

/** For the names of added exports. */
const KIND_NAMES: Readonly<Record<StateKind, string>> = {
  [ExternalKind.Table]: 'table',
  [ExternalKind.Memory]: 'memory',
  [ExternalKind.Global]: 'global',
  [ExternalKind.Tag]: 'tag',
};

/** What the primary exports besides the original exports. */
export function addedExports({
  layout: { state, exports, start },
  moduleCount,
}: SplitAnalysis): { name: string; kind: ExternalKind; index: number }[] {
  const missing = STATE_KINDS.flatMap((kind) =>
    state[kind].flatMap((_, index) =>
      exports.some((each) => each.kind === kind && each.index === index)
        ? []
        : [{ name: addedName(kind, index), kind, index }],
    ),
  );
  const tables = state[ExternalKind.Table].length;
  const globals = state[ExternalKind.Global].length;
  return [
    ...missing,
    { name: FUNCTIONS_EXPORT, kind: ExternalKind.Table, index: tables },
    { name: HOOK_EXPORT, kind: ExternalKind.Table, index: tables + 1 },
    ...Array.from({ length: moduleCount - 1 }, (_, i) => ({
      name: absentExport(i + 1),
      kind: ExternalKind.Global,
      index: globals + i,
    })),
    ...(start === undefined ? [] : [{ name: START_EXPORT, kind: ExternalKind.Function, index: start }]),
  ];
}

/**
 * Writes the content of a secondary's import section: the function imports of the original module, then all state. So
 * functions and state have the same indices as in the primary.
 */
export function writeImports(content: ModuleWriter, { layout, moduleCount, slotCount }: SplitAnalysis): void {
  const { state, exports, functionImports } = layout;
  const stateCount = STATE_KINDS.reduce((sum, kind) => sum + state[kind].length, 0);
  content.u32(functionImports.length + stateCount + 2 + moduleCount - 1);
  for (const entry of functionImports) content.copy(entry);
  for (const kind of STATE_KINDS) {
    for (const [index, type] of state[kind].entries()) {
      const original = exports.find((each) => each.kind === kind && each.index === index);
      content
        .name(SPLIT)
        .name(original?.name ?? addedName(kind, index))
        .u8(kind)
        .copy(type);
    }
  }
  for (const [name, size] of [
    [FUNCTIONS_EXPORT, slotCount],
    [HOOK_EXPORT, 1],
  ] as const) {
    content
      .name(SPLIT)
      .name(name)
      .u8(ExternalKind.Table, ...tableType(size));
  }
  for (let module = 1; module < moduleCount; module++) {
    content.name(SPLIT).name(absentExport(module)).u8(ExternalKind.Global, I32, MUTABLE);
  }
}

/** The type of a table of functions that never grows. */
export function tableType(size: number): number[] {
  return [FUNCREF, WITH_MAXIMUM, ...encodeUnsigned(size), ...encodeUnsigned(size)];
}

function addedName(kind: StateKind, index: number): string {
  return `${SPLIT}:${KIND_NAMES[kind]}${index}`;
}
