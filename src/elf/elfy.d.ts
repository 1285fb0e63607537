// The parts of the npm package elfy 1.0.0 that read-elf.ts relies on. The package returns further fields, but
// it reads them wrongly or maps them to incomplete lists of names (see read-elf.ts). They are missing here on
// purpose.
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
    /** A view of the file. If the file ends too early it is shorter, without an error. */
    data: Buffer;
  }

  interface File {
    body: { programs: Program[]; sections: Section[] };
  }

  const elfy: {
    /** Throws Error, AssertionError, RangeError or TypeError for a malformed file. */
    parse(bytes: Buffer): File;
  };
  export default elfy;
}
