// hls.js, in low-latency mode as it comes.

import '/hls.js/dist/hls.js';
import { start } from './recorder.mjs';

export function play(video, url, recorder, config = { lowLatencyMode: true }) {
  const { Hls } = window;
  const details = { version: Hls.version, partsLoaded: 0, wholeLoaded: 0, partLoadingOn: 0, partLoadingOff: 0 };
  // It tells only its log when it gives up parts for whole segments.
  const log = (...words) => {
    const line = words.join(' ');
    if (line.includes('LL-Part loading ON')) details.partLoadingOn += 1;
    if (line.includes('LL-Part loading') && line.includes('OFF') && details.partLoadingOn > 0) details.partLoadingOff += 1;
  };
  const silent = () => {};
  const hls = new Hls({ ...config, debug: { log, debug: log, info: log, trace: silent, warn: log, error: log } });
  hls.on(Hls.Events.ERROR, (_, data) => recorder.error(data.fatal, `${data.details}: ${data.error?.message ?? data.reason ?? ''}`));
  hls.on(Hls.Events.FRAG_LOADED, (_, { part }) => { details[part ? 'partsLoaded' : 'wholeLoaded'] += 1; });
  hls.on(Hls.Events.MANIFEST_PARSED, () => start(video, recorder));
  hls.loadSource(url);
  hls.attachMedia(video);
  window.player = hls;
  return () => {
    const date = hls.playingDate;
    const known = hls.latestLevelDetails;
    return {
      latency: known?.live ? hls.latency : null,
      behind: known?.live && date ? (Date.now() - date.getTime()) / 1000 : null,
      date: date ? date.getTime() / 1000 : null,
      level: hls.currentLevel,
      details: { ...details, lowLatency: hls.lowLatencyMode && Boolean(known?.partList), target: hls.targetLatency },
    };
  };
}
