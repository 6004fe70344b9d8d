// video.js with its VHS (never the browser's own HLS), low latency as it comes.

import '/video.js/dist/video.js';
import { start } from './recorder.mjs';

export function play(video, url, recorder) {
  const { videojs } = window;
  videojs.log.level('off');
  const player = videojs(video, { html5: { vhs: { overrideNative: true, llhls: true } }, liveui: true });
  window.player = player;
  player.on('error', () => recorder.error(true, `video.js ${player.error()?.code}: ${player.error()?.message}`));
  player.src({ src: url, type: 'application/vnd.apple.mpegurl' });
  player.ready(() => start(video, recorder));
  const edge = () => {
    const seekable = player.seekable();
    return seekable.length > 0 ? seekable.end(seekable.length - 1) : null;
  };
  return () => {
    const vhs = player.tech(true)?.vhs;
    const media = vhs?.playlists.media();
    const live = media && !media.endList;
    return {
      latency: live && edge() !== null ? edge() - video.currentTime : null,
      level: media?.attributes?.RESOLUTION?.height ?? null,
      details: { version: videojs.VERSION, vhs: vhs?.version()?.['@videojs/http-streaming'], lowLatency: Boolean(media?.partTargetDuration) },
    };
  };
}
