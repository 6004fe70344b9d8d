// hls.js as it is where a stream has no parts.

import { play as withConfig } from './hlsjs.mjs';

export const play = (video, url, recorder) => withConfig(video, url, recorder, { lowLatencyMode: false });
