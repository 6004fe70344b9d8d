// hls.js as forebay's own page has it: it plays a little faster where it has fallen behind.

import { play as withConfig } from './hlsjs.mjs';

const config = { lowLatencyMode: true, liveSyncOnStallIncrease: 0.25, maxLiveSyncPlaybackRate: 1.1 };
export const play = (video, url, recorder) => withConfig(video, url, recorder, config);
