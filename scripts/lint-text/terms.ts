/** Words that the code and the docs do not use, each with what to write instead. CONTRIBUTING.md, "Language". */

export interface Term {
  /** Global and case-insensitive. Identifiers are matched word by word: `healFolder` as `heal Folder`. */
  pattern: RegExp;
  /** What to write instead. */
  instead: string;
  /** `everywhere`: identifiers, too. `prose`: comments, docs, and strings that are sentences. `readme`: README.md only. */
  scope: 'everywhere' | 'prose' | 'readme';
}

/** Terms that another one has replaced. */
const RETIRED: Term[] = [
  {
    pattern: /\bglue\b/gi,
    instead: '"generated code", or "runtime loading" for packages that load their own wasm (option `detect`)',
    scope: 'everywhere',
  },
  {
    pattern: /\bheal(s|ed|ing|er)?\b/gi,
    instead: '"on-device compilation" (option `recompile`)',
    scope: 'everywhere',
  },
  { pattern: /\bdemand[ -]load(s|ed|ing)?\b/gi, instead: '"module splitting"', scope: 'everywhere' },
  { pattern: /\b(bodiless|lean)\b/gi, instead: '"stubbed primary"', scope: 'everywhere' },
  { pattern: /\brecipes?\b/gi, instead: '"reassembly plan"', scope: 'everywhere' },
  { pattern: /\bwasm[- ]loader\b/gi, instead: '`?wasm-shared`, "module handle"', scope: 'everywhere' },
  { pattern: /\bnative[- ]loader\b/gi, instead: '"native addon"', scope: 'everywhere' },
  { pattern: /\bartifact[- ]?map\b/gi, instead: '`ArtifactManifest`, "manifest"', scope: 'everywhere' },
  { pattern: /\bstart[ -]up\b/gi, instead: '"startup"', scope: 'prose' },
  {
    pattern: /\b(stay(s|ed|ing)?|left|kept|keeps?) whole\b/gi,
    instead: '"is not split", "the original module"',
    scope: 'prose',
  },
  { pattern: /\bwhy[- ]whole\b/gi, instead: '`unsplitReason`', scope: 'everywhere' },
  {
    pattern: /\.(part\d|whole-)/g,
    instead: '`x.secondary-1-<hash>.wasm`, `x-<hash>.wasm`',
    scope: 'prose',
  },
  { pattern: /\bruntime\/fit\b/g, instead: '`runtime/compatibility`', scope: 'everywhere' },
  { pattern: /\btravel(s|ed|led|ing|ling)?\b/gi, instead: '"transfer"', scope: 'everywhere' },
  { pattern: /\bgenuine\b/gi, instead: '"a regular `WebAssembly.Module`", "the original"', scope: 'prose' },
  { pattern: /\btimes better than plain\b/gi, instead: '"speedup over the baseline"', scope: 'prose' },
  {
    pattern: /\bwire bytes\b/gi,
    instead: '"the module": "wire bytes" stays in the internals',
    scope: 'readme',
  },
];

/** Words that make a person of code, or hide the subject of a sentence. */
const VAGUE: Term[] = [
  { pattern: /\bwho(so)?ever\b/gi, instead: 'name the caller, or "regardless of …"', scope: 'prose' },
  { pattern: /(?<!`)\b(nobody|no one|somebody|someone)\b/gi, instead: 'name the subject', scope: 'prose' },
  { pattern: /(?<=^|[.:;] )who\b(?![^.]*\?)/gi, instead: 'name the subject', scope: 'prose' },
  {
    pattern: /\bwhat(ever)? (becomes|became|has become) of\b|\bwhatever becomes\b/gi,
    instead: '"the result of", "everything that …"',
    scope: 'prose',
  },
  {
    pattern: /\b(comes?|came|coming) in\b/gi,
    instead: '"is loaded", "arrives", "streaming compilation"',
    scope: 'prose',
  },
  {
    pattern: /\b(tells?|told|telling)\b/gi,
    instead: '"prints", "says", "reports", "is recognised"',
    scope: 'prose',
  },
  { pattern: /\b(gets?|got) (its|their) turn\b/gi, instead: '"runs"', scope: 'prose' },
  { pattern: /\banew\b/gi, instead: '"again", "regenerate"', scope: 'prose' },
  { pattern: /\bof (no|any|some) use\b/gi, instead: '"cannot be used", "is compatible"', scope: 'prose' },
  { pattern: /\bnotic(es|ed|ing)\b/gi, instead: '"detects"', scope: 'prose' },
  { pattern: /\b(hears?|heard)\b/gi, instead: '"receives"', scope: 'prose' },
  { pattern: /\b(pays?|paid|paying)\b/gi, instead: '"saves enough", "costs"', scope: 'prose' },
];

export const TERMS: readonly Term[] = [...RETIRED, ...VAGUE];
