// The npm package elfy 1.0.0, as far as `read.ts` relies on it. The package also returns fields that it reads
// wrongly or maps to names that it does not always have (see `read.ts`); those are left out here on purpose.
declare module 'elfy' {
  interface Program {
    offset: number;
    vaddr: number;
    filesz: number;
    memsz: number;
    align: number;
  }

  interface Section {
    name: string;
    addr: number;
    off: number;
    size: number;
    link: number;
    info: number;
    /** A view of the file, silently shorter where the file ends too early. */
    data: Buffer;
  }

  interface File {
    body: { programs: Program[]; sections: Section[] };
  }

  const elfy: {
    /** Throws Error, AssertionError, RangeError and TypeError on files that are not well-formed. */
    parse(bytes: Buffer): File;
  };
  export default elfy;
}
