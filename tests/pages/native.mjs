// The browser's own HLS.

import { start } from './recorder.mjs';

export function play(video, url, recorder) {
  video.src = url;
  start(video, recorder);
  return () => {
    const { seekable, duration, currentTime } = video;
    const live = duration === Infinity && seekable.length > 0;
    return { latency: live ? seekable.end(seekable.length - 1) - currentTime : null, details: { duration } };
  };
}
