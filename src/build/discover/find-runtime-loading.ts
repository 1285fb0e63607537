/**
 * Finds runtime loading in a JavaScript module: expressions that name a wasm file, and wasm modules that the code
 * imports dynamically. Reads only the syntax tree; `rewrite-runtime-loading.ts` checks whether
 * the files exist.
 */
import type { CallExpression, Expression, Identifier, NewExpression, Node, Program } from 'estree';
import { walk } from 'estree-walker';
import { parseRequest } from '../requests/request.ts';
import { findScopes, type Scopes } from './scopes.ts';

/** Offsets in characters from the start of the text. */
export interface Range {
  start: number;
  end: number;
}

/** An expression that may name a wasm file. */
export interface Reference extends Range {
  /**
   * - `url`: the arguments of `new URL('./x.wasm', import.meta.url)`
   * - `resolve`: a call that returns the path or URL of a specifier, resolved by Node's rules
   * - `text`: an expression that combines a file name with a value that is only known at run time:
   *   `join(__dirname, 'x.wasm')`, `scriptDirectory + 'x.wasm'`, `locateFile('x.wasm')`
   */
  kind: 'url' | 'resolve' | 'text';
  /** The specifier as written; for `text`, only the part after the unknown folder. */
  specifier: string;
  /** What a `resolve` call returns. */
  gives?: 'path' | 'url';
}

/**
 * `typeof Response === 'function' && source instanceof Response`, which wasm-bindgen's code evaluates before it
 * instantiates. Node loads the classes of `fetch` at their first use, which takes as long as loading the module.
 */
export interface TypeTest {
  /** Offset of the test, in characters. */
  start: number;
  /** The tested variable. */
  name: string;
}

export interface RuntimeLoading {
  /** Whether the module must be an ES module. False is possible for ES modules without imports and exports. */
  esm: boolean;
  references: Reference[];
  /** The callees of calls to the global `fetch`. */
  fetches: Range[];
  /** Tests whether a value is a response or a request. */
  typeTests: TypeTest[];
  /** Reads of Node's `__dirname`, unless the module declares its own; `shorthand`: as in `{ __dirname }`. */
  folders: (Range & { shorthand: boolean })[];
  /** Specifiers, as written, of wasm modules that the code obtains by `import()`, `import.source()` or `require()`. */
  dynamic: string[];
  /** Offset at which statements can be inserted before all others. */
  top: number;
}

/** A cheap test before parsing: a text that does not match has no runtime loading. */
export const RUNTIME_LOADING_TEXT =
  /\.wasm(?:\?module)?["'`]|\bWebAssembly\b[\s\S]{0,9}\b(?:compile|instantiate|Module)/;

type Positioned<Of = Node> = Of & Range;

const FETCH_CLASSES = ['Response', 'Request'];

/** Built-in classes: a value of one of them is neither a response nor a request. */
const BUILT_IN_CLASSES = ['WebAssembly', 'ArrayBuffer', 'Promise'];

/** @param ast with the positions of nodes; the parsers of all bundlers provide them */
export function findRuntimeLoading(ast: Program): RuntimeLoading {
  const esm = isModule(ast);
  const scopes = findScopes(ast, esm);
  const isGlobal = (node: Node, name: string): boolean =>
    node.type === 'Identifier'
      ? node.name === name && scopes.isGlobal(node)
      : node.type === 'MemberExpression' &&
        node.object.type === 'Identifier' &&
        node.object.name === 'globalThis' &&
        scopes.isGlobal(node.object) &&
        propertyName(node) === name;

  const loading: RuntimeLoading = {
    esm,
    references: [],
    fetches: [],
    typeTests: [],
    folders: [],
    dynamic: [],
    top: findTop(ast),
  };
  let chains = 0;
  walk(ast, {
    enter(node, parent) {
      if (node.type === 'ChainExpression') chains++;
      const reference = findReference(node, parent, scopes, chains > 0);
      if (reference) loading.references.push({ ...rangeOf(node), ...reference });
      const dynamic = findDynamic(node);
      if (dynamic !== undefined) loading.dynamic.push(dynamic);
      const typeTest = findTypeTest(node, isGlobal);
      if (typeTest && !BUILT_IN_CLASSES.some((name) => scopes.declares(name)))
        loading.typeTests.push(typeTest);
      if (node.type === 'CallExpression' && isGlobal(node.callee, 'fetch') && !node.optional) {
        loading.fetches.push(rangeOf(node.callee));
      }
      if (node.type === 'Identifier' && isGlobal(node, '__dirname') && isRead(node, parent)) {
        const shorthand = parent?.type === 'Property' && parent.shorthand;
        const range = rangeOf(node);
        // The key and the value of a shorthand property are the same text.
        if (loading.folders.at(-1)?.start !== range.start) loading.folders.push({ ...range, shorthand });
      }
    },
    leave(node) {
      if (node.type === 'ChainExpression') chains--;
    },
  });
  return loading;
}

type Found = Omit<Reference, 'start' | 'end'> & Partial<Range>;

function findReference(node: Node, parent: Node | null, scopes: Scopes, inChain: boolean): Found | undefined {
  // Bundlers look at these arguments themselves.
  if (isImportOf(parent, node)) return undefined;
  switch (node.type) {
    case 'NewExpression':
      return findUrl(node, scopes);
    case 'CallExpression':
      return inChain ? undefined : (findResolve(node, scopes) ?? findArgument(node, scopes));
    case 'BinaryExpression': {
      const specifier = node.operator === '+' && fileName(tailOf(node, scopes));
      // The parent is a longer sum that also ends with a text.
      const inner =
        parent?.type === 'BinaryExpression' && parent.left === node && isText(parent.right, scopes);
      return specifier && !inner ? { kind: 'text', specifier } : undefined;
    }
    case 'TemplateLiteral': {
      if (node.expressions.length === 0 || parent?.type === 'TaggedTemplateExpression') return undefined;
      const last = node.expressions.at(-1);
      const end = node.quasis.at(-1)?.value.cooked;
      // `${folder}/${name}`
      const specifier = fileName(end === '' && last ? textOf(last, scopes) : end);
      return specifier ? { kind: 'text', specifier } : undefined;
    }
    default:
      return undefined;
  }
}

/** Whether a node is the argument of `import()` or `require()`. */
function isImportOf(parent: Node | null, node: Node): boolean {
  if (parent?.type === 'ImportExpression') return parent.source === node;
  return (
    parent?.type === 'CallExpression' &&
    parent.callee.type === 'Identifier' &&
    parent.callee.name === 'require' &&
    parent.arguments[0] === node
  );
}

/** `new URL('./x.wasm', import.meta.url)` */
function findUrl({ callee, arguments: args }: NewExpression, scopes: Scopes): Found | undefined {
  const [name, base] = args;
  if (callee.type !== 'Identifier' || callee.name !== 'URL' || !name || !base || args.length > 2) {
    return undefined;
  }
  const specifier = constantText(name, scopes);
  const isHere =
    base.type === 'MemberExpression' && base.object.type === 'MetaProperty' && propertyName(base) === 'url';
  if (!isHere || !specifier?.endsWith('.wasm')) return undefined;
  return { kind: 'url', specifier, start: rangeOf(name).start, end: rangeOf(base).end };
}

/**
 * `require.resolve('it/x.wasm')`, `createRequire(import.meta.url).resolve('it/x.wasm')`,
 * `import.meta.resolve('it/x.wasm')`
 */
function findResolve({ callee, arguments: args }: CallExpression, scopes: Scopes): Found | undefined {
  if (callee.type !== 'MemberExpression' || propertyName(callee) !== 'resolve' || args.length !== 1) {
    return undefined;
  }
  const specifier = args[0] && constantText(args[0], scopes);
  if (!specifier?.endsWith('.wasm')) return undefined;
  if (callee.object.type === 'MetaProperty') return { kind: 'resolve', specifier, gives: 'url' };
  const isRequire =
    isCreateRequire(callee.object) ||
    (callee.object.type === 'Identifier' &&
      ((callee.object.name === 'require' && scopes.isGlobal(callee.object)) ||
        isAlways(scopes.valuesOf(callee.object), isCreateRequire)));
  return isRequire ? { kind: 'resolve', specifier, gives: 'path' } : undefined;
}

/**
 * A call with a file name among its arguments, such as `join(__dirname, 'x.wasm')`, or with a variable that may hold
 * one. If the result is no path of that file, it stays as it is.
 */
function findArgument(node: CallExpression, scopes: Scopes): Found | undefined {
  const { callee, arguments: args } = node;
  if (callee.type === 'Super' || (callee.type === 'Identifier' && callee.name === 'require'))
    return undefined;
  if (callee.type === 'MemberExpression' && callee.object.type === 'MetaProperty') return undefined;
  const last = args.findIndex((argument) => textOf(argument, scopes)?.endsWith('.wasm') === true);
  if (last !== -1) {
    let first = last;
    while (first > 0 && isText(args[first - 1], scopes)) first--;
    const specifier = fileName(
      args
        .slice(first, last + 1)
        .map((argument) => textOf(argument, scopes))
        .join('/'),
    );
    return specifier ? { kind: 'text', specifier } : undefined;
  }
  // Emscripten's `file = 'x.wasm'; if (!isDataURI(file)) file = locateFile(file);`
  const [argument] = args;
  if (argument?.type !== 'Identifier') return undefined;
  const specifier = scopes
    .valuesOf(argument)
    .map((value) => fileName(textOf(value, scopes)))
    .findLast((name) => name !== undefined);
  return specifier === undefined ? undefined : { kind: 'text', specifier };
}

/** Returns the file of `import('./x.wasm?module')`, `require('./x.wasm?module')` and `import.source('./x.wasm')`. */
function findDynamic(node: Node): string | undefined {
  const source =
    node.type === 'ImportExpression'
      ? node.source
      : node.type === 'CallExpression' && node.callee.type === 'Identifier' && node.callee.name === 'require'
        ? node.arguments[0]
        : undefined;
  const specifier = source && literalOf(source);
  const request = specifier === undefined ? undefined : parseRequest(specifier);
  // The types of the syntax tree do not include import phases yet.
  const isSource = 'phase' in node && node.phase === 'source';
  return request?.form === (isSource ? 'esm' : 'module') ? request.file : undefined;
}

function findTypeTest(node: Node, isGlobal: (node: Node, name: string) => boolean): TypeTest | undefined {
  if (node.type !== 'LogicalExpression' || node.operator !== '&&') return undefined;
  const { left, right } = node;
  if (right.type !== 'BinaryExpression' || right.operator !== 'instanceof') return undefined;
  if (right.left.type !== 'Identifier') return undefined;
  const testedClass = FETCH_CLASSES.find((name) => isGlobal(right.right, name));
  const test = left.type === 'LogicalExpression' && left.operator === '&&' ? left.right : left;
  if (testedClass === undefined || test.type !== 'BinaryExpression') return undefined;
  const isTest = [test.left, test.right].some(
    (side) =>
      side.type === 'UnaryExpression' && side.operator === 'typeof' && isGlobal(side.argument, testedClass),
  );
  return isTest ? { start: rangeOf(test).start, name: right.left.name } : undefined;
}

/** Whether the module must be an ES module. */
function isModule(ast: Program): boolean {
  let esm = false;
  walk(ast, {
    enter(node) {
      esm ||=
        node.type === 'ImportDeclaration' ||
        node.type === 'ExportAllDeclaration' ||
        node.type === 'ExportDefaultDeclaration' ||
        node.type === 'ExportNamedDeclaration' ||
        (node.type === 'MetaProperty' && node.meta.name === 'import');
      if (esm) this.skip();
    },
  });
  return esm;
}

/** Whether an expression is read: no property's name, no target of an assignment, and no operand of `typeof`. */
function isRead(node: Node, parent: Node | null): boolean {
  switch (parent?.type) {
    case 'UnaryExpression':
      return parent.operator !== 'typeof' && parent.operator !== 'delete';
    case 'UpdateExpression':
    case 'LabeledStatement':
    case 'BreakStatement':
    case 'ContinueStatement':
      return false;
    case 'AssignmentExpression':
      return parent.left !== node;
    case 'MemberExpression':
      return parent.object === node || parent.computed;
    case 'Property':
    case 'PropertyDefinition':
    case 'MethodDefinition':
      return parent.key !== node || parent.computed || (parent.type === 'Property' && parent.shorthand);
    case 'AssignmentPattern':
      return parent.right === node;
    default:
      return true;
  }
}

function isCreateRequire(node: Node): boolean {
  if (node.type !== 'CallExpression') return false;
  const { callee } = node;
  const name =
    callee.type === 'Identifier'
      ? callee.name
      : callee.type === 'MemberExpression'
        ? propertyName(callee)
        : undefined;
  return name === 'createRequire';
}

/** Returns the constant text at the end of a sum. */
function tailOf(node: Node, scopes: Scopes): string | undefined {
  if (node.type !== 'BinaryExpression' || node.operator !== '+') return textOf(node, scopes);
  const right = textOf(node.right, scopes);
  if (right === undefined) return undefined;
  const left = node.left.type === 'BinaryExpression' ? tailOf(node.left, scopes) : textOf(node.left, scopes);
  return `${left ?? ''}${right}`;
}

function isText(node: Node | undefined, scopes: Scopes): boolean {
  return node !== undefined && textOf(node, scopes) !== undefined;
}

/** Returns the text of a literal, or of a variable that always holds one. */
function textOf(node: Node, scopes: Scopes): string | undefined {
  const value = node.type === 'Identifier' ? scopes.valueOf(node) : node;
  return value && literalOf(value);
}

/** For expressions that are replaced: a variable must hold the text whenever they are evaluated. */
function constantText(node: Node, scopes: Scopes): string | undefined {
  const value = node.type === 'Identifier' ? scopes.constantOf(node) : node;
  return value && literalOf(value);
}

function isAlways(values: readonly Node[], test: (value: Node) => boolean): boolean {
  return values.length > 0 && values.every(test);
}

function literalOf(node: Node): string | undefined {
  if (node.type === 'Literal' && typeof node.value === 'string') return node.value;
  if (node.type === 'TemplateLiteral' && node.expressions.length === 0) {
    return node.quasis[0]?.value.cooked ?? undefined;
  }
  return undefined;
}

/** Returns a wasm file's path relative to a folder, without a leading slash; undefined for other texts. */
function fileName(text: string | null | undefined): string | undefined {
  return text?.endsWith('.wasm') === true && !/^\/*\.wasm$/.test(text) ? text.replace(/^\/+/, '') : undefined;
}

function propertyName({
  computed,
  property,
}: {
  computed: boolean;
  property: Expression | { type: 'PrivateIdentifier' } | Identifier;
}): string | undefined {
  if (!computed) return property.type === 'Identifier' ? property.name : undefined;
  return property.type === 'PrivateIdentifier' ? undefined : literalOf(property);
}

function rangeOf(node: Node): Range {
  const { start, end } = node as Positioned;
  return { start, end };
}

/** Returns the offset after directives and after everything before the first statement, such as `#!`. */
function findTop({ body }: Program): number {
  const directives = body.filter((node) => 'directive' in node && typeof node.directive === 'string');
  const last = directives.at(-1);
  if (last) return rangeOf(last).end;
  return body[0] ? rangeOf(body[0]).start : 0;
}
