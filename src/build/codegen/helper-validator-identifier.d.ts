// The npm package @babel/helper-validator-identifier 7, which has no types, as far as `identifiers.ts` uses it.
declare module '@babel/helper-validator-identifier' {
  export function isKeyword(word: string): boolean;
  export function isStrictBindReservedWord(word: string, inModule: boolean): boolean;
}
