/** Where and when something was measured. */
import { cpus, totalmem } from 'node:os';

/** `linux x64, Intel(R) Xeon(R) Processor × 2, 24 GiB`. */
export function describeMachine(): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? 'unknown processor';
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${process.platform} ${process.arch}, ${model} × ${processors.length}, ${memory} GiB`;
}

/** The day, in ISO 8601. */
export function today(): string {
  return new Date().toISOString().slice(0, 10);
}
