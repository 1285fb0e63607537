/** A name for files. Names of modules are data of others: what a file system may not take becomes a dash. */
export function fileNameOf(name: string): string {
  return name.replaceAll(/[^\w.-]+/g, '-').slice(0, 100) || 'module';
}
