/** Builds one task with one bundler, in a separate process: `tsx build.ts <peer> <PeerJob as JSON>`. */
import { folderSize } from '../../support/folder-size.ts';
import { BUILDERS } from './bundlers.ts';
import { PEER_IDS, type PeerJob } from './peers.ts';

const [name, text = ''] = process.argv.slice(2);
const id = PEER_IDS.find((each) => each === name);
if (id === undefined) throw new Error(`unknown peer ${name}`);
const job = JSON.parse(text) as PeerJob;
await BUILDERS[id](job);
console.log(JSON.stringify({ outputSize: await folderSize(job.outDir) }));
// Some bundlers leave handles open.
process.exit();
