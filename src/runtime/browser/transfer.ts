/**
 * Split modules in browsers that others get: they make instances as they like, and may post a module to another thread, where
 * nobody knows that it is a primary. What arrives there is the whole module, which is fetched for that: the message leaves when
 * it is there, and those after it wait for their turn. All hold what they held when they were posted.
 */
import { adoptCopy, intercept, isPrimary, replace } from '../shared/link.ts';
import { findIn, replaceIn } from '../shared/message.ts';
import type { SplitHandle } from './split.ts';

type LoadWhole = () => Promise<WebAssembly.Module>;
type Post = (this: unknown, message: unknown, ...rest: unknown[]) => void;

/** By primary. */
const wholes = new WeakMap<object, LoadWhole>();

/** What was posted last and has not left yet, by the object that it was posted to. */
const queues = new WeakMap<object, Promise<void>>();

/** As it is, whoever replaces it later. */
const { structuredClone: clone } = globalThis;

/** The module of a loader, for whoever makes instances of it. */
export async function loadTransferable(loader: SplitHandle): Promise<WebAssembly.Module> {
  const module = await loader.load();
  if (!isPrimary(module)) return module;
  wholes.set(module, loader.whole.load);
  intercept();
  guard();
  return module;
}

let guarded = false;

function guard(): void {
  if (guarded) return;
  guarded = true;
  const scope = globalThis as unknown as Record<string, { prototype: object } | undefined>;
  const owners: unknown[] = ['Worker', 'MessagePort', 'BroadcastChannel'].map(
    (name) => scope[name]?.prototype,
  );
  // Not that of windows: who receives a message is told that it comes from the realm of the function that was running last.
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
      // Not all browsers make modules of modules here.
      const copies = primaries.map((primary) => Reflect.apply(target, self, [primary]) as unknown);
      for (const [index, primary] of primaries.entries()) follow(copies[index], primary);
      return withOthers(copy(value, primaries, transferOf(rest)), copies);
    },
  });
}

/** A copy of a primary is one, too. */
function follow(module: unknown, primary: WebAssembly.Module): void {
  const whole = wholes.get(primary);
  if (!(module instanceof WebAssembly.Module) || !whole) return;
  adoptCopy(module, primary);
  wholes.set(module, whole);
}

function post(target: Post, receiver: object, message: unknown, rest: unknown[]): void {
  // All of them: not all browsers make modules of modules in a copy.
  const modules = findIn(message, (value) => value instanceof WebAssembly.Module) as WebAssembly.Module[];
  const before = queues.get(receiver);
  if (!modules.some(isPrimary) && !before) return Reflect.apply(target, receiver, [message, ...rest]);
  const copied = copy(message, modules, transferOf(rest));
  const leave = async () => {
    try {
      await before;
      const wanted = await Promise.all(modules.map((module) => wholes.get(module)?.() ?? module));
      Reflect.apply(target, receiver, [withOthers(copied, wanted), ...withTransfer(rest, copied.transfer)]);
    } catch (error) {
      reportError(error);
    }
    if (queues.get(receiver) === left) queues.delete(receiver);
  };
  const left = leave();
  queues.set(receiver, left);
  return undefined;
}

function findPrimaries(message: unknown): WebAssembly.Module[] {
  return findIn(message, isPrimary) as WebAssembly.Module[];
}

interface Copy {
  message: unknown;
  /** Stand for modules in the message. */
  places: object[];
  transfer: Transferable[];
}

/** A message as it is now, with what it transfers, and without its modules. Throws what posting it would throw. */
function copy(message: unknown, primaries: readonly object[], transfer: Transferable[]): Copy {
  const places = primaries.map(() => ({}));
  const others = new Map(primaries.map((primary, index) => [primary, places[index]]));
  return clone<Copy>({ message: replaceIn(message, others), places, transfer }, { transfer });
}

function withOthers({ message, places }: Copy, modules: readonly unknown[]): unknown {
  return replaceIn(message, new Map(places.map((place, index) => [place, modules[index]])));
}

/** What follows a message: a list, or options with one. */
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
