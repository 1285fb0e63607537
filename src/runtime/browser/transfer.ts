/**
 * Split modules that user code gets, in browsers. It makes instances with any function of `WebAssembly`, and may post
 * a primary to another thread, whose runtime does not know it. The receiver gets the original module, which is
 * fetched for that. The message is sent when the original is loaded, and later messages to the same receiver are sent
 * after it. Each message has the contents that it had when it was posted.
 */
import { registerPrimaryCopy, intercept, isPrimary, replace } from '../shared/link.ts';
import { findIn, replaceIn } from '../shared/message.ts';
import type { SplitHandle } from './load-split.ts';

type LoadOriginal = () => Promise<WebAssembly.Module>;
type Post = (this: unknown, message: unknown, ...rest: unknown[]) => void;

/** Load the original modules, by primary. */
const originals = new WeakMap<object, LoadOriginal>();

/** The last message that is not sent yet, by the object that it was posted to. */
const queues = new WeakMap<object, Promise<void>>();

/** Captured before user code can replace it. */
const { structuredClone: clone } = globalThis;

/** Loads a module that user code may instantiate and post to other threads. */
export async function loadTransferable(handle: SplitHandle): Promise<WebAssembly.Module> {
  const module = await handle.load();
  if (!isPrimary(module)) return module;
  originals.set(module, handle.original.load);
  intercept();
  interceptPosting();
  return module;
}

let isPostingIntercepted = false;

function interceptPosting(): void {
  if (isPostingIntercepted) return;
  isPostingIntercepted = true;
  const scope = globalThis as unknown as Record<string, { prototype: object } | undefined>;
  const owners: unknown[] = ['Worker', 'MessagePort', 'BroadcastChannel'].map(
    (name) => scope[name]?.prototype,
  );
  // Not that of windows: the origin of their messages is the realm of the function that runs, which would be this
  // one's.
  if (!('document' in globalThis)) owners.push(globalThis);
  for (const owner of owners as (object | undefined)[]) {
    if (!owner || !('postMessage' in owner)) continue;
    replace(owner as { postMessage: Post }, 'postMessage', {
      apply: (target, self: object | undefined, [message, ...rest]: unknown[]) =>
        post(target, self ?? globalThis, message, rest),
    });
  }
  replace(globalThis, 'structuredClone', {
    apply(target, self, [value, ...rest]: unknown[]) {
      const primaries = findPrimaries(value);
      if (primaries.length === 0) return Reflect.apply(target, self, [value, ...rest]) as unknown;
      // Some browsers do not clone modules here.
      const copies = primaries.map((primary) => Reflect.apply(target, self, [primary]) as unknown);
      for (const [index, primary] of primaries.entries()) registerCopy(copies[index], primary);
      return withModules(copy(value, primaries, transferOf(rest)), copies);
    },
  });
}

function registerCopy(module: unknown, primary: WebAssembly.Module): void {
  const loadOriginal = originals.get(primary);
  if (!(module instanceof WebAssembly.Module) || !loadOriginal) return;
  registerPrimaryCopy(module, primary);
  originals.set(module, loadOriginal);
}

function post(target: Post, receiver: object, message: unknown, rest: unknown[]): void {
  // All modules, not only primaries: some browsers do not clone modules.
  const modules = findIn(message, (value) => value instanceof WebAssembly.Module) as WebAssembly.Module[];
  const before = queues.get(receiver);
  if (!modules.some(isPrimary) && !before) return Reflect.apply(target, receiver, [message, ...rest]);
  const copied = copy(message, modules, transferOf(rest));
  const send = async () => {
    try {
      await before;
      const transferred = await Promise.all(modules.map((module) => originals.get(module)?.() ?? module));
      Reflect.apply(target, receiver, [
        withModules(copied, transferred),
        ...withTransfer(rest, copied.transfer),
      ]);
    } catch (error) {
      reportError(error);
    }
    if (queues.get(receiver) === sent) queues.delete(receiver);
  };
  const sent = send();
  queues.set(receiver, sent);
  return undefined;
}

function findPrimaries(message: unknown): WebAssembly.Module[] {
  return findIn(message, isPrimary) as WebAssembly.Module[];
}

interface Copy {
  message: unknown;
  /** Placeholders for the modules in the message. */
  placeholders: object[];
  transfer: Transferable[];
}

/**
 * Copies a message and what it transfers, with placeholders for its modules.
 *
 * @throws DOMException if posting the message would throw it
 */
function copy(message: unknown, modules: readonly object[], transfer: Transferable[]): Copy {
  const placeholders = modules.map(() => ({}));
  const replacements = new Map(modules.map((module, index) => [module, placeholders[index]]));
  return clone<Copy>({ message: replaceIn(message, replacements), placeholders, transfer }, { transfer });
}

function withModules({ message, placeholders }: Copy, modules: readonly unknown[]): unknown {
  return replaceIn(message, new Map(placeholders.map((each, index) => [each, modules[index]])));
}

/** Returns the transfer list from the arguments after the message: a list, or options with one. */
function transferOf(rest: readonly unknown[]): Transferable[] {
  const given = rest.find(isObject) as Iterable<Transferable> | StructuredSerializeOptions | undefined;
  if (!given) return [];
  return [...(Symbol.iterator in given ? given : (given.transfer ?? []))];
}

function withTransfer(rest: readonly unknown[], transfer: Transferable[]): unknown[] {
  return rest.map((each) =>
    isObject(each) ? (Symbol.iterator in each ? transfer : { ...each, transfer }) : each,
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
