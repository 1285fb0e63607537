/** Encodes a path for use in a URL. `encodeURI` does not encode `#` and `?`. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
