// playlist.mjs: the playlists on standard input as m3u8-parser (video.js) reads them, in the form that playlist.py gives.
// It knows no EXT-X-GAP of whole segments, so `gap` is null there; its warnings are `complaints`.

import { readFileSync } from 'node:fs';
import { Parser } from 'm3u8-parser';

const multivariant = ({ playlists, mediaGroups }) => {
  const audio = Object.values(mediaGroups?.AUDIO ?? {}).flatMap((group) => Object.values(group));
  return {
    variants: playlists.map(({ uri, attributes }) => ({
      uri,
      bandwidth: attributes.BANDWIDTH,
      codecs: attributes.CODECS ?? null,
      height: attributes.RESOLUTION?.height ?? null,
    })),
    media: audio.map(({ uri }) => uri ?? null),
  };
};

const part = ({ uri, duration, independent, gap }) => ({
  uri, duration, independent: independent === true, gap: gap === true,
});

const media = (manifest, complaints) => ({
  target: manifest.targetDuration,
  ended: manifest.endList === true,
  sequence: manifest.mediaSequence,
  partTarget: manifest.partTargetDuration ?? null,
  skipped: manifest.skip?.skippedSegments ?? null,
  hint: manifest.preloadSegment?.preloadHints?.find(({ type }) => type === 'PART')?.uri ?? null,
  complaints,
  segments: manifest.segments.map(({ uri, duration, map, discontinuity, parts }) => ({
    uri, duration, map: map?.uri ?? null, gap: null, discontinuity: discontinuity === true, parts: (parts ?? []).map(part),
  })),
  open: (manifest.preloadSegment?.parts ?? []).map(part),
  reports: (manifest.renditionReports ?? []).map(({ uri, lastMsn, lastPart }) => ({ uri, msn: lastMsn, part: lastPart ?? null })),
  ranges: [...new Set((manifest.dateRanges ?? []).map(({ id }) => id))].sort(),
});

const read = (text) => {
  const complaints = [];
  const parser = new Parser();
  parser.on('warn', ({ message }) => complaints.push(message));
  parser.push(text);
  parser.end();
  return parser.manifest.playlists?.length > 0 ? multivariant(parser.manifest) : media(parser.manifest, complaints);
};

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map(read)));
