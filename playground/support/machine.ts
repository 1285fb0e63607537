/** Where and when something was measured. */
import { cpus, totalmem } from 'node:os';

/** Platform, processor, memory. */
export function describeMachine(): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? 'unknown processor';
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${process.platform} ${process.arch}, ${model} × ${processors.length}, ${memory} GiB`;
}

/** The day, as ISO 8601 has it. */
export function today(): string {
  return new Date().toISOString().slice(0, 10);
}
