// samples.mjs FILE HANDLER: when the samples of the first track of a kind (`vide`, `soun`) are presented, as mp4box.js reads
// a file, progressive or fragmented: seconds in decoding order, as a JSON array. Before zero is what the edit list hides.

import { readFileSync } from 'node:fs';
import { createFile } from 'mp4box';

const [path, handler] = process.argv.slice(2);
const bytes = readFileSync(path);
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
buffer.fileStart = 0;
const file = createFile();
file.appendBuffer(buffer);
file.flush();

const trak = file.moov.traks.find(({ mdia }) => mdia.hdlr.handler === handler);
const edits = trak.edts?.elst?.entries ?? [];
// ISO/IEC 14496-12 §8.6.6: an empty edit delays, the first real one says where the media begins.
const delay = edits.filter(({ media_time }) => media_time < 0).reduce((sum, edit) => sum + edit.segment_duration, 0);
const start = edits.find(({ media_time }) => media_time >= 0)?.media_time ?? 0;
const { timescale } = trak.mdia.mdhd;
const times = file.getTrackSamplesInfo(trak.tkhd.track_id)
  .map(({ cts }) => (cts - start) / timescale + delay / file.moov.mvhd.timescale);
process.stdout.write(JSON.stringify(times));
