// fragments.mjs INIT SEGMENT...: what mp4box.js reads in the fragments of one track, as JSON on standard output.
//
//   { timescale, handler, brands, shownFrom, segments: [{ brands, fragments: [{ sequence, time, samples, duration, bytes,
//     dataBytes, first: { sync, offset }, times }] }] }
//
// `shownFrom` is the media time that the edit list starts the presentation at (ISO/IEC 14496-12 §8.6.6).
// Times and durations are in ticks of `timescale`; `times` are composition times in decoding order;
// `bytes` is what the samples declare, `dataBytes` what mdat holds.

import { readFileSync } from 'node:fs';
import { createFile } from 'mp4box';

const SYNC_BY_DEFAULT = 0x10000; // ISO/IEC 14496-12 §8.8.3.1: sample_is_non_sync_sample
const HAS_FIRST_FLAGS = 0x4;
const HAS_DURATION = 0x100;
const HAS_SIZE = 0x200;
const HAS_FLAGS = 0x400;
const HAS_OFFSET = 0x800;

function parse(path) {
  const bytes = readFileSync(path);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  buffer.fileStart = 0;
  const file = createFile();
  file.appendBuffer(buffer);
  file.flush();
  return file;
}

const brands = (box) => (box ? [box.major_brand, ...box.compatible_brands] : []);

function readFragment(moof, mdat, trex) {
  const [traf, ...more] = moof.trafs;
  if (more.length > 0) throw new Error('more than one track in a fragment');
  const { tfhd, tfdt, truns } = traf;
  const defaults = {
    duration: tfhd.flags & 0x8 ? tfhd.default_sample_duration : trex.default_sample_duration,
    size: tfhd.flags & 0x10 ? tfhd.default_sample_size : trex.default_sample_size,
    flags: tfhd.flags & 0x20 ? tfhd.default_sample_flags : trex.default_sample_flags,
  };
  const samples = truns.flatMap((trun) => Array.from({ length: trun.sample_count }, (_, i) => ({
    duration: trun.flags & HAS_DURATION ? trun.sample_duration[i] : defaults.duration,
    size: trun.flags & HAS_SIZE ? trun.sample_size[i] : defaults.size,
    flags: trun.flags & HAS_FLAGS ? trun.sample_flags[i]
      : i === 0 && trun.flags & HAS_FIRST_FLAGS ? trun.first_sample_flags : defaults.flags,
    offset: trun.flags & HAS_OFFSET ? trun.sample_composition_time_offset[i] : 0,
  })));
  const sum = (pick) => samples.reduce((total, sample) => total + pick(sample), 0);
  let decoded = tfdt.baseMediaDecodeTime;
  const times = samples.map(({ duration, offset }) => {
    decoded += duration;
    return decoded - duration + offset;
  });
  return {
    sequence: moof.mfhd.sequence_number,
    time: tfdt.baseMediaDecodeTime,
    samples: samples.length,
    duration: sum(({ duration }) => duration),
    bytes: sum(({ size }) => size),
    dataBytes: mdat.size - mdat.hdr_size,
    first: { sync: (samples[0].flags & SYNC_BY_DEFAULT) === 0, offset: samples[0].offset },
    times,
    baseIsMoof: (tfhd.flags & 0x20000) !== 0,
    firstByte: truns[0].data_offset === moof.size + mdat.hdr_size,
  };
}

function readSegment(path, trex) {
  const { boxes } = parse(path);
  const fragments = boxes.flatMap((box, i) => (box.type === 'moof' ? [readFragment(box, boxes[i + 1], trex)] : []));
  return { brands: brands(boxes.find(({ type }) => type === 'styp')), fragments };
}

const [initPath, ...segmentPaths] = process.argv.slice(2);
const init = parse(initPath);
const [trak, ...others] = init.moov.traks;
if (others.length > 0) throw new Error('more than one track in the init segment');
const [trex] = init.moov.mvex.trexs;
process.stdout.write(JSON.stringify({
  timescale: trak.mdia.mdhd.timescale,
  handler: trak.mdia.hdlr.handler,
  brands: brands(init.ftyp),
  shownFrom: trak.edts?.elst?.entries.find(({ media_time }) => media_time >= 0)?.media_time ?? 0,
  segments: segmentPaths.map((path) => readSegment(path, trex)),
}));
