/** The warnings of a build. One rule for all of them: each is printed once per build run. */
import type { Warn } from '../common/warn-once.ts';
import type { BundlerContext } from './bundler-context.ts';

/**
 * Prints each warning once per build run. In watch mode, each later run prints it again if its cause still holds:
 * whatever detects the cause warns in every run, and only this class drops repetitions.
 */
export class Diagnostics {
  /** Bundlers accept warnings through the hook that is running. */
  #print: (message: string) => void = console.warn;
  /** Causes of the warnings of this run. */
  readonly #printed = new Set<string>();
  /** Environments that this run has started. */
  readonly #started = new Set<string>();

  /** Begins a new run, unless the environment is another one of a run that is going on. */
  start(context: BundlerContext): void {
    if (this.#started.has(context.environment)) {
      this.#started.clear();
      this.#printed.clear();
    }
    this.#started.add(context.environment);
    this.printThrough(context);
  }

  /** Prints the warnings that follow through this hook. */
  printThrough(context: BundlerContext): void {
    this.#print = (message) => context.warn(message);
  }

  readonly warn: Warn = (message, cause = message) => {
    if (this.#printed.has(cause)) return;
    this.#printed.add(cause);
    this.#print(message);
  };
}
