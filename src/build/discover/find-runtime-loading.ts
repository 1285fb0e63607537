/**
 * Finds what loads wasm files by itself in a JavaScript module: expressions that name a file, and uses of `WebAssembly`; and which
 * wasm modules come late. Only looks at the text; whether there is such a file is for others to say.
 */
import type { CallExpression, Expression, Identifier, NewExpression, Node, Pattern, Program } from 'estree';
import { walk } from 'estree-walker';
import { parseRequest } from '../requests/request.ts';

/** In characters from the start of the text. */
export interface Range {
  start: number;
  end: number;
}

/** An expression that may name a wasm file. */
export interface Reference extends Range {
  /**
   * - `url`: the arguments of `new URL('./x.wasm', import.meta.url)`
   * - `resolve`: a call that gives path or URL of what it is asked for, by Node's rules
   * - `text`: makes a path or URL of a name, by what is only known at run time: `join(__dirname, 'x.wasm')`,
   *   `scriptDirectory + 'x.wasm'`, `locateFile('x.wasm')`
   */
  kind: 'url' | 'resolve' | 'text';
  /** As it is written; of texts without what comes before. */
  specifier: string;
  /** Of `resolve`. */
  gives?: 'path' | 'url';
}

/** `WebAssembly`, or `globalThis.WebAssembly`, where one of its functions is taken from it. */
export interface Use extends Range {
  name: string;
}

/**
 * `typeof Response === 'function' && source instanceof Response`, as wasm-bindgen asks before it instantiates. In Node the classes
 * of `fetch` are loaded when they are first asked for, which takes as long as the module itself.
 */
export interface TypeTest {
  /** Where the question begins, in characters. */
  start: number;
  /** The variable that is asked about. */
  name: string;
}

export interface RuntimeLoading {
  /** Whether it is an ES module: it may have neither imports nor exports. */
  esm: boolean;
  references: Reference[];
  uses: Use[];
  /** Calls of the global `fetch`: the callees. */
  fetches: Range[];
  /** Questions whether something is a response or a request. */
  questions: TypeTest[];
  /** Node's `__dirname`, where the module has none of its own; `shorthand`: as `{ __dirname }`. */
  folders: (Range & { shorthand: boolean })[];
  /** Wasm files whose modules come when the code runs already, by `import()`, `import.source()` or `require()`: as they are written. */
  late: string[];
  /** Where statements can be put before all others. */
  top: number;
}

/** Cheap: texts without any of this have nothing to find. */
export const RUNTIME_LOADING_TEXT =
  /\.wasm(?:\?module)?["'`]|\bWebAssembly\b[\s\S]{0,9}\b(?:compile|instantiate|Module)/;

type Positioned<Of = Node> = Of & Range;

const FETCH_CLASSES = ['Response', 'Request'];

/** Classes of the engine itself, by which a question about those of `fetch` is answered. */
const OWN_CLASSES = ['WebAssembly', 'ArrayBuffer', 'Promise'];

const FUNCTIONS = new Set<string>(['compile', 'compileStreaming', 'instantiate', 'instantiateStreaming']);

/** @param ast with the positions of nodes, as every parser of bundlers gives them */
export function findRuntimeLoading(ast: Program): RuntimeLoading {
  const names = findNames(ast);
  // What is put in the place of globals needs these itself.
  const isPossible = !names.declared.has('globalThis') && !names.declared.has('Symbol');
  const isGlobal = (node: Node, name: string): boolean =>
    node.type === 'Identifier'
      ? isPossible && node.name === name && !names.declared.has(name)
      : isPossible &&
        node.type === 'MemberExpression' &&
        node.object.type === 'Identifier' &&
        node.object.name === 'globalThis' &&
        propertyName(node) === name;

  const glue: RuntimeLoading = {
    esm: names.esm,
    references: [],
    uses: [],
    fetches: [],
    questions: [],
    folders: [],
    late: [],
    top: findTop(ast),
  };
  let chains = 0;
  walk(ast, {
    enter(node, parent) {
      if (node.type === 'ChainExpression') chains++;
      const reference = findReference(node, parent, names, chains > 0);
      if (reference) glue.references.push({ ...rangeOf(node), ...reference });
      const late = findLate(node);
      if (late !== undefined) glue.late.push(late);
      const use = findUse(node, parent, isGlobal);
      if (use) glue.uses.push(use);
      const question = findQuestion(node, isGlobal);
      if (question && !OWN_CLASSES.some((name) => names.declared.has(name))) glue.questions.push(question);
      if (node.type === 'CallExpression' && isGlobal(node.callee, 'fetch') && !node.optional) {
        glue.fetches.push(rangeOf(node.callee));
      }
      if (node.type === 'Identifier' && isGlobal(node, '__dirname') && isRead(node, parent)) {
        const shorthand = parent?.type === 'Property' && parent.shorthand;
        const range = rangeOf(node);
        // Key and value of a shorthand property are the same text.
        if (glue.folders.at(-1)?.start !== range.start) glue.folders.push({ ...range, shorthand });
      }
    },
    leave(node) {
      if (node.type === 'ChainExpression') chains--;
    },
  });
  return glue;
}

type Found = Omit<Reference, 'start' | 'end'> & Partial<Range>;

function findReference(node: Node, parent: Node | null, names: Names, inChain: boolean): Found | undefined {
  switch (node.type) {
    case 'NewExpression':
      return findUrl(node);
    case 'CallExpression':
      return inChain ? undefined : (findResolve(node, names) ?? findArgument(node, parent, names));
    case 'BinaryExpression': {
      const specifier = node.operator === '+' && fileName(tailOf(node));
      // It is a part of a longer one.
      const inner = parent?.type === 'BinaryExpression' && parent.left === node && isText(parent.right);
      return specifier && !inner ? { kind: 'text', specifier } : undefined;
    }
    case 'TemplateLiteral': {
      if (node.expressions.length === 0 || parent?.type === 'TaggedTemplateExpression') return undefined;
      const specifier = fileName(node.quasis.at(-1)?.value.cooked);
      return specifier ? { kind: 'text', specifier } : undefined;
    }
    default:
      return undefined;
  }
}

/** `new URL('./x.wasm', import.meta.url)` */
function findUrl({ callee, arguments: args }: NewExpression): Found | undefined {
  const [name, base] = args;
  if (callee.type !== 'Identifier' || callee.name !== 'URL' || !name || !base || args.length > 2) {
    return undefined;
  }
  const specifier = textOf(name);
  const isHere =
    base.type === 'MemberExpression' && base.object.type === 'MetaProperty' && propertyName(base) === 'url';
  if (!isHere || !specifier?.endsWith('.wasm')) return undefined;
  return { kind: 'url', specifier, start: rangeOf(name).start, end: rangeOf(base).end };
}

/** `require.resolve('it/x.wasm')`, `createRequire(import.meta.url).resolve('it/x.wasm')`, `import.meta.resolve('it/x.wasm')` */
function findResolve({ callee, arguments: args }: CallExpression, names: Names): Found | undefined {
  if (callee.type !== 'MemberExpression' || propertyName(callee) !== 'resolve' || args.length !== 1) {
    return undefined;
  }
  const specifier = args[0] && textOf(args[0]);
  if (!specifier?.endsWith('.wasm')) return undefined;
  if (callee.object.type === 'MetaProperty') return { kind: 'resolve', specifier, gives: 'url' };
  const isRequire =
    isCreateRequire(callee.object) ||
    (callee.object.type === 'Identifier' &&
      (names.requires.has(callee.object.name) ||
        (callee.object.name === 'require' && !names.declared.has('require'))));
  return isRequire ? { kind: 'resolve', specifier, gives: 'path' } : undefined;
}

/** A call with the name of a file among its arguments, whatever comes before it. */
function findArgument(node: CallExpression, parent: Node | null, names: Names): Found | undefined {
  const { callee, arguments: args } = node;
  if (callee.type === 'Super' || (callee.type === 'Identifier' && callee.name === 'require'))
    return undefined;
  if (callee.type === 'MemberExpression' && callee.object.type === 'MetaProperty') return undefined;
  const last = args.findIndex((argument) => textOf(argument)?.endsWith('.wasm') === true);
  if (last !== -1) {
    let first = last;
    while (first > 0 && isText(args[first - 1])) first--;
    const specifier = fileName(
      args
        .slice(first, last + 1)
        .map((argument) => textOf(argument))
        .join('/'),
    );
    return specifier ? { kind: 'text', specifier } : undefined;
  }
  // Emscripten's `file = 'x.wasm'; if (!isDataURI(file)) file = locateFile(file);`
  const [argument] = args;
  if (args.length !== 1 || argument?.type !== 'Identifier' || parent?.type !== 'AssignmentExpression') {
    return undefined;
  }
  const same = parent.left.type === 'Identifier' && parent.left.name === argument.name;
  const specifier = same && names.files.get(argument.name);
  return specifier ? { kind: 'text', specifier } : undefined;
}

function findUse(
  node: Node,
  parent: Node | null,
  isGlobal: (node: Node, name: string) => boolean,
): Use | undefined {
  if (node.type !== 'MemberExpression' || node.optional || !isGlobal(node.object, 'WebAssembly')) {
    return undefined;
  }
  const name = propertyName(node);
  if (name === undefined) return undefined;
  const isUsed =
    name === 'Module'
      ? parent?.type === 'NewExpression' && parent.callee === node
      : FUNCTIONS.has(name) && isRead(node, parent);
  return isUsed ? { ...rangeOf(node.object), name } : undefined;
}

/** The file of `import('./x.wasm?module')`, `require('./x.wasm?module')` and `import.source('./x.wasm')`. */
function findLate(node: Node): string | undefined {
  const source =
    node.type === 'ImportExpression'
      ? node.source
      : node.type === 'CallExpression' && node.callee.type === 'Identifier' && node.callee.name === 'require'
        ? node.arguments[0]
        : undefined;
  const specifier = source && textOf(source);
  const request = specifier === undefined ? undefined : parseRequest(specifier);
  // TypeScript's types of the syntax tree have no phases yet.
  const isSource = 'phase' in node && node.phase === 'source';
  return request?.form === (isSource ? 'esm' : 'module') ? request.file : undefined;
}

function findQuestion(node: Node, isGlobal: (node: Node, name: string) => boolean): TypeTest | undefined {
  if (node.type !== 'LogicalExpression' || node.operator !== '&&') return undefined;
  const { left, right } = node;
  if (right.type !== 'BinaryExpression' || right.operator !== 'instanceof') return undefined;
  if (right.left.type !== 'Identifier') return undefined;
  const asked = FETCH_CLASSES.find((name) => isGlobal(right.right, name));
  const test = left.type === 'LogicalExpression' && left.operator === '&&' ? left.right : left;
  if (asked === undefined || test.type !== 'BinaryExpression') return undefined;
  const isTest = [test.left, test.right].some(
    (side) => side.type === 'UnaryExpression' && side.operator === 'typeof' && isGlobal(side.argument, asked),
  );
  return isTest ? { start: rangeOf(test).start, name: right.left.name } : undefined;
}

/** Names that matter here, in all of a module: where one is declared anywhere, it counts as declared everywhere. */
interface Names {
  esm: boolean;
  declared: ReadonlySet<string>;
  /** What `createRequire` has given. */
  requires: ReadonlySet<string>;
  /** Variables that were given the name of a wasm file. */
  files: ReadonlyMap<string, string>;
}

function findNames(ast: Program): Names {
  const declared = new Set<string>();
  const requires = new Set<string>();
  const files = new Map<string, string>();
  let esm = false;
  const declare = (pattern: Node | null | undefined) => {
    if (!pattern) return;
    for (const name of namesOf(pattern as Pattern)) declared.add(name);
  };
  const assign = (target: Node, value: Node | null | undefined) => {
    if (target.type !== 'Identifier' || !value) return;
    const file = fileName(textOf(value));
    if (file) files.set(target.name, file);
    if (isCreateRequire(value)) requires.add(target.name);
  };
  walk(ast, {
    enter(node) {
      switch (node.type) {
        case 'ImportDeclaration':
          esm = true;
          for (const { local } of node.specifiers) declare(local);
          break;
        case 'ExportAllDeclaration':
        case 'ExportDefaultDeclaration':
        case 'ExportNamedDeclaration':
          esm = true;
          break;
        case 'MetaProperty':
          esm ||= node.meta.name === 'import';
          break;
        case 'VariableDeclarator':
          declare(node.id);
          assign(node.id, node.init);
          break;
        case 'AssignmentExpression':
          // Something else from then on.
          if (node.left.type === 'Identifier') declare(node.left);
          assign(node.left, node.right);
          break;
        case 'FunctionDeclaration':
        case 'FunctionExpression':
        case 'ArrowFunctionExpression':
          if (node.type !== 'ArrowFunctionExpression') declare(node.id);
          for (const parameter of node.params) declare(parameter);
          break;
        case 'ClassDeclaration':
        case 'ClassExpression':
          declare(node.id);
          break;
        case 'CatchClause':
          declare(node.param);
          break;
        default:
      }
    },
  });
  return { esm, declared, requires, files };
}

/** What a pattern binds. */
function namesOf(pattern: Pattern): string[] {
  switch (pattern.type) {
    case 'Identifier':
      return [pattern.name];
    case 'ObjectPattern':
      return pattern.properties.flatMap((property) =>
        namesOf(property.type === 'RestElement' ? property.argument : property.value),
      );
    case 'ArrayPattern':
      return pattern.elements.flatMap((element) => (element ? namesOf(element) : []));
    case 'RestElement':
      return namesOf(pattern.argument);
    case 'AssignmentPattern':
      return namesOf(pattern.left);
    default:
      return [];
  }
}

/** Whether an expression is evaluated: it is no name of a property, is not assigned to, and nobody asks only whether it is there. */
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

/** The text at the end of a sum. */
function tailOf(node: Node): string | undefined {
  if (node.type !== 'BinaryExpression' || node.operator !== '+') return textOf(node);
  const right = textOf(node.right);
  if (right === undefined) return undefined;
  return `${(node.left.type === 'BinaryExpression' ? tailOf(node.left) : textOf(node.left)) ?? ''}${right}`;
}

function isText(node: Node | undefined): boolean {
  return node !== undefined && textOf(node) !== undefined;
}

function textOf(node: Node): string | undefined {
  if (node.type === 'Literal' && typeof node.value === 'string') return node.value;
  if (node.type === 'TemplateLiteral' && node.expressions.length === 0) {
    return node.quasis[0]?.value.cooked ?? undefined;
  }
  return undefined;
}

/** What follows a folder in the path of a wasm file, without the slash between them; undefined for other texts. */
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
  return property.type === 'PrivateIdentifier' ? undefined : textOf(property);
}

function rangeOf(node: Node): Range {
  const { start, end } = node as Positioned;
  return { start, end };
}

/** Behind directives and whatever comes before the first statement, such as `#!`. */
function findTop({ body }: Program): number {
  const directives = body.filter((node) => 'directive' in node && typeof node.directive === 'string');
  const last = directives.at(-1);
  if (last) return rangeOf(last).end;
  return body[0] ? rangeOf(body[0]).start : 0;
}
