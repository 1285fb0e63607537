import * as zlib from 'node:zlib';

/** Missing before Node 20.15, hence not imported by name. */
export const { crc32 } = zlib as Partial<Pick<typeof zlib, 'crc32'>>;
