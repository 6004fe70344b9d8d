// remux.mjs IN OUT: the samples of an MP4 file, muxed anew by mp4box.js: fragmented, each sample in a moof of its own,
// the tracks interleaved by decode time.

import { readFileSync, writeFileSync } from 'node:fs';
import { createFile } from '../node_modules/mp4box/dist/mp4box.all.mjs';

const [inPath, outPath] = process.argv.slice(2);
const bytes = readFileSync(inPath);
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
buffer.fileStart = 0;

const source = createFile(true);
const samples = [];
const tracks = new Map();
const out = createFile();

source.onReady = ({ tracks: found }) => {
  for (const { id, timescale, type, video, audio, language } of found) {
    const trak = source.getTrackById(id);
    const [entry] = trak.mdia.minf.stbl.stsd.entries;
    const own = out.addTrack({
      type: entry.type,
      timescale,
      language,
      hdlr: type === 'video' ? 'vide' : 'soun',
      ...(video && { width: video.width, height: video.height, avcDecoderConfigRecord: record(entry.avcC) }),
      ...(audio && { channel_count: audio.channel_count, samplerate: audio.sample_rate, samplesize: audio.sample_size }),
    });
    if (audio) out.getTrackById(own).mdia.minf.stbl.stsd.entries[0].addBox(entry.esds);
    tracks.set(id, { own, timescale });
    source.setExtractionOptions(id, null, { nbSamples: 1_000_000 });
  }
  source.start();
};
source.onSamples = (id, _, found) => samples.push(...found.map((sample) => ({ id, ...sample })));

/** The AVCDecoderConfigurationRecord that an avcC box holds. */
function record(box) {
  const start = box.start + box.hdr_size;
  return buffer.slice(start, box.start + box.size);
}

source.appendBuffer(buffer);
source.flush();
samples.sort((a, b) => a.dts / tracks.get(a.id).timescale - b.dts / tracks.get(b.id).timescale);
for (const { id, data, dts, cts, duration, is_sync } of samples) {
  out.addSample(tracks.get(id).own, data, { dts, cts, duration, is_sync });
}
writeFileSync(outPath, Buffer.from(out.getBuffer().buffer ?? out.getBuffer()));
