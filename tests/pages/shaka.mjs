// shaka-player, with its low-latency configuration as it comes.

import '/shaka-player/dist/shaka-player.compiled.js';
import { start } from './recorder.mjs';

export async function play(video, url, recorder) {
  const { shaka } = window;
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  await player.attach(video);
  window.player = player;
  const told = (error) => recorder.error(error.severity === shaka.util.Error.Severity.CRITICAL, `shaka ${error.code}: ${JSON.stringify(error.data)}`);
  player.addEventListener('error', ({ detail }) => told(detail));
  player.configure({ streaming: { lowLatencyMode: true } });
  let lowLatency = false;
  try {
    await player.load(url, null, 'application/x-mpegurl');
    // Asked once: it warns of this call each time.
    lowLatency = player.getManifest().isLowLatency;
    start(video, recorder);
  } catch (error) {
    told(error);
  }
  return () => {
    const stats = player.getStats();
    const date = player.getPlayheadTimeAsDate();
    return {
      latency: player.isLive() ? player.seekRange().end - video.currentTime : null,
      behind: player.isLive() ? (Date.now() - date.getTime()) / 1000 : null,
      date: date.getTime() / 1000,
      level: stats.height,
      details: {
        version: shaka.Player.version,
        lowLatency,
        stalls: stats.stallsDetected,
        gaps: stats.gapsJumped,
        complaints: stats.nonFatalErrorCount,
      },
    };
  };
}
