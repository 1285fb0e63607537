/** Stub. */
import type { PeerResult } from '../../src/report/data.ts';
import type { BenchContext } from './context.ts';
export async function measurePeers(context: BenchContext): Promise<PeerResult[]> {
  return context.quick ? [] : [];
}
