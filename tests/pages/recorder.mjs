// record(video): notes what a viewer of `video` gets, four times a second, whatever player feeds it.
//
//   report() -> { samples: [{ at, time, ahead, latency, behind, date, paused, rate, level }], stalls: [{ at, seconds }],
//                 seeks: [{ at, to, seconds }], errors: [{ at, fatal, what }], loads: { parts, segments, inits, playlists, held, deltas },
//                 frames, dropped, width, height, startup, details }
//
// Times are seconds: `at` since the page was opened, `time` on the media timeline, `ahead` of buffer in front of it,
// `latency` behind the live edge as the player says it, `behind` the wall clock by EXT-X-PROGRAM-DATE-TIME (both null
// where the player does not tell), `date` what EXT-X-PROGRAM-DATE-TIME says of `time`, as seconds since 1970. A seek lasts until
// the picture it went to is there. `startup` is when the first frame came. `loads` counts finished requests by their URLs;
// the browser's own HLS shows none. A stall is a time without motion after the start while the player means to play.

const STILL = 0.3; // seconds without motion that a viewer notices
const now = () => performance.now() / 1000;

export function record(video) {
  const samples = [];
  const stalls = [];
  const seeks = [];
  const errors = [];
  const loads = { parts: 0, segments: 0, inits: 0, playlists: 0, held: 0, deltas: 0 };
  let told = () => ({});
  let startup = null;
  let moved = null; // when the picture last moved, and where it was then
  let still = null; // the stall that is going on

  const count = ({ name }) => {
    const { pathname, search } = new URL(name);
    if (pathname.endsWith('.m3u8')) {
      loads.playlists += 1;
      loads.held += search.includes('_HLS_msn=') ? 1 : 0;
      loads.deltas += search.includes('_HLS_skip=') ? 1 : 0;
    } else if (/\/\d+\.\d+\.m4s$/.test(pathname)) loads.parts += 1;
    else if (pathname.endsWith('.m4s')) loads.segments += 1;
    else if (pathname.endsWith('.mp4')) loads.inits += 1;
  };
  new PerformanceObserver((list) => list.getEntries().forEach(count)).observe({ type: 'resource', buffered: true });

  const ahead = () => {
    const { buffered, currentTime } = video;
    for (let i = 0; i < buffered.length; i += 1) {
      if (buffered.start(i) <= currentTime + 0.1 && currentTime < buffered.end(i)) return buffered.end(i) - currentTime;
    }
    return 0;
  };

  const look = () => {
    const at = now();
    const time = video.currentTime;
    if (video.readyState >= 2) startup ??= at;
    if (startup === null) return;
    const idle = video.paused || video.ended || video.seeking;
    if (moved === null || idle || time !== moved.time) {
      if (still) stalls.push({ at: still.at, seconds: at - still.at });
      still = null;
      moved = { at, time };
    } else if (at - moved.at > STILL) {
      still ??= { at: moved.at };
    }
    const { latency = null, behind = null, date = null, level = null } = told();
    samples.push({ at, time, ahead: ahead(), latency, behind, date, paused: video.paused, rate: video.playbackRate, level });
  };
  setInterval(look, 250);
  const error = (fatal, what) => errors.push({ at: now(), fatal, what });
  let sought = null;
  video.addEventListener('seeking', () => { sought = now(); });
  video.addEventListener('seeked', () => seeks.push({ at: sought, to: video.currentTime, seconds: now() - sought }));
  video.addEventListener('error', () => error(true, `the video element: ${video.error?.message ?? video.error?.code}`));

  const report = () => {
    const quality = video.getVideoPlaybackQuality();
    const open = still ? [{ at: still.at, seconds: now() - still.at }] : [];
    return {
      samples,
      stalls: [...stalls, ...open],
      seeks,
      errors,
      loads,
      frames: quality.totalVideoFrames,
      dropped: quality.droppedVideoFrames,
      width: video.videoWidth,
      height: video.videoHeight,
      startup,
      details: told().details ?? {},
    };
  };
  return { report, error, reads: (tell) => { told = tell; } };
}

/** Plays, and says so when the browser does not let it. */
export function start(video, recorder) {
  video.play().catch((error) => recorder.error(true, `play: ${error.message}`));
}
