// playlist.mjs: the playlist on standard input as m3u8-parser (video.js) reads it, in the form that playlist.py gives.

import { readFileSync } from 'node:fs';
import { Parser } from 'm3u8-parser';

const parser = new Parser();
parser.push(readFileSync(0, 'utf8'));
parser.end();
const { manifest } = parser;

const variants = (manifest.playlists ?? []).map(({ uri, attributes }) => ({
  uri,
  bandwidth: attributes.BANDWIDTH,
  codecs: attributes.CODECS ?? null,
  height: attributes.RESOLUTION?.height ?? null,
}));
const audio = Object.values(manifest.mediaGroups?.AUDIO ?? {}).flatMap((group) => Object.values(group));
process.stdout.write(JSON.stringify(variants.length > 0
  ? { variants, media: audio.map(({ uri }) => uri ?? null) }
  : {
      target: manifest.targetDuration,
      ended: manifest.endList === true,
      segments: manifest.segments.map(({ uri, duration, map }) => ({ uri, duration, map: map?.uri ?? null })),
    }));
