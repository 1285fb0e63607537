/** Which names in a module are globals, and which constant texts its variables hold. */
import { analyze, type Reference, type Variable } from 'eslint-scope';
import type { Identifier, Node, Program } from 'estree';
import { walk } from 'estree-walker';

export interface Scopes {
  /** Whether a name at its place is that of a global, which nothing in the module assigns. */
  isGlobal(node: Identifier): boolean;
  /** Whether any scope of the module declares a name. */
  declares(name: string): boolean;
  /** The expressions that the module assigns to the variable at its place; none for parameters and the like. */
  valuesOf(node: Identifier): readonly Node[];
  /** The only expression that is assigned to a variable. It may not be assigned yet. */
  valueOf(node: Identifier): Node | undefined;
  /** The expression that a variable holds from its declaration on. */
  constantOf(node: Identifier): Node | undefined;
}

/** @param esm whether it is an ES module; CommonJS has a function around it */
export function findScopes(ast: Program, esm: boolean): Scopes {
  addRanges(ast);
  const { scopes } = analyze(ast as Parameters<typeof analyze>[0], {
    ecmaVersion: 2026,
    sourceType: esm ? 'module' : 'script',
    nodejsScope: !esm,
    // Nodes of TypeScript and JSX.
    fallback: 'iteration',
  });
  const references = scopes.flatMap((scope) => scope.references);
  // By position: parsers differ in whether the key and the value of `{ name }` are one node.
  const byStart = new Map(references.map((reference) => [startOf(reference.identifier), reference]));
  const assigned = new Set(
    references.filter((each) => isFree(each) && each.isWrite()).map(({ identifier }) => nameOf(identifier)),
  );
  // In sloppy code, a function in a block is a variable of the function around it, too (ECMA-262, B.3.2).
  if (!esm) {
    for (const { type, variables } of scopes) {
      if (type !== 'block' && type !== 'switch') continue;
      for (const { name, defs } of variables) {
        if (defs.some((each) => each.type === 'FunctionName')) assigned.add(name);
      }
    }
  }
  const declared = new Set(
    scopes.flatMap(({ variables }) => variables.filter(isDeclared).map(({ name }) => name)),
  );
  const valuesOf = (node: Identifier): readonly Node[] => {
    const reference = byStart.get(startOf(node));
    if (!reference) return [];
    const writes = reference.resolved?.references ?? references.filter((each) => isSameFree(each, node));
    // `name += value` reads, too.
    return writes.flatMap((each) =>
      each.isWrite() && !each.isRead() && each.writeExpr ? [each.writeExpr as Node] : [],
    );
  };
  const valueOf = (node: Identifier): Node | undefined => {
    const variable = byStart.get(startOf(node))?.resolved;
    const isVariable = variable?.defs.every(({ type }) => type === 'Variable') === true;
    const values = isVariable ? valuesOf(node) : [];
    const writes = variable?.references.filter((each) => each.isWrite()).length;
    return values.length === 1 && writes === 1 && !isPartial(variable) ? values[0] : undefined;
  };
  return {
    isGlobal(node) {
      const reference = byStart.get(startOf(node));
      return (
        (reference === undefined ? !declared.has(node.name) : isFree(reference)) && !assigned.has(node.name)
      );
    },
    declares: (name) => declared.has(name),
    valuesOf,
    valueOf,
    constantOf(node) {
      const { resolved } = byStart.get(startOf(node)) ?? {};
      const isFirst = resolved?.references.some((each) => each.isWrite() && each.init) === true;
      return isFirst && resolved?.defs.every(isConstant) ? valueOf(node) : undefined;
    },
  };
}

/** The library reads positions by the name that ESLint's parsers give them. */
function addRanges(ast: Program): void {
  walk(ast, {
    enter(node) {
      const { start, end } = node as Node & { start: number; end: number };
      node.range ??= [start, end];
    },
  });
}

/** No scope declares the name. */
function isFree({ resolved }: Reference): boolean {
  return !resolved || !isDeclared(resolved);
}

function isSameFree(reference: Reference, { name }: Identifier): boolean {
  return isFree(reference) && nameOf(reference.identifier) === name;
}

/** Variables that no code declares, such as `arguments`, have no definitions. */
function isDeclared({ defs }: Variable): boolean {
  return defs.length > 0;
}

/** `const`, `let` and `var` with a value; not the variable of a loop. */
function isConstant({ node }: Variable['defs'][number]): boolean {
  return 'init' in node && node.init !== null && node.init !== undefined;
}

/** Whether an assignment takes only a part of its value: `const { name } = value`. */
function isPartial(variable: Variable | null | undefined): boolean {
  return variable?.references.some((each) => each.isWrite() && each.partial) === true;
}

function nameOf(identifier: Reference['identifier']): string {
  return 'name' in identifier ? String(identifier.name) : '';
}

function startOf(node: object): number {
  return (node as { start: number }).start;
}
