/** Describes the machine and the date of a measurement. */
import { cpus, totalmem } from 'node:os';

/** Returns, for example, `linux x64, Intel(R) Xeon(R) Processor × 2, 24 GiB`. */
export function describeMachine(): string {
  const processors = cpus();
  const model = processors[0]?.model.trim() ?? 'unknown processor';
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${process.platform} ${process.arch}, ${model} × ${processors.length}, ${memory} GiB`;
}

/** Returns the date in ISO 8601. */
export function today(): string {
  return new Date().toISOString().slice(0, 10);
}
