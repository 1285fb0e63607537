/** Names in JavaScript. */
import { isKeyword, isStrictBindReservedWord } from '@babel/helper-validator-identifier';

/** Whether a name needs no quotation marks as a property name, or in an import. */
export function isIdentifier(name: string): boolean {
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name);
}

/** Whether a module can declare a variable of this name. TypeScript allows no declaration of `undefined`. */
export function isBindingName(name: string): boolean {
  const isReserved = isKeyword(name) || isStrictBindReservedWord(name, true) || name === 'undefined';
  return isIdentifier(name) && !isReserved;
}
