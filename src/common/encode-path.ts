/** A path as a part of a URL. Not `encodeURI`, which takes `#` and `?` for the ends of a path. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
