/** Builds one task with one bundler, in a process of its own: `tsx build.ts <peer> <PeerJob as JSON>`. */
import { folderSize } from '../../support/folder-size.ts';
import { type PeerJob, PEERS } from './bundlers.ts';

const [id, text = ''] = process.argv.slice(2);
const peer = PEERS.find((each) => each.id === id);
if (!peer) throw new Error(`unknown peer ${id}`);
const job = JSON.parse(text) as PeerJob;
await peer.build(job);
console.log(JSON.stringify({ outputSize: await folderSize(job.outDir) }));
// Some of them leave something running.
process.exit();
