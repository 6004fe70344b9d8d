// What a fault is called, and what can be done about it.

import { $ } from './dom.js';
import * as format from './format.js';

/** Lays a fault over the screen; `expires` is when the link ends, in Unix seconds. */
export function showFault({ kind, code }, expires) {
  const late = expires <= Date.now() / 1000;
  const until = Number.isFinite(expires) ? format.moment(expires) : '';
  const [title, words] = {
    denied: ['The link has expired', late || !until
      ? `The server answered ${code}. Try again to get a new link.`
      : `The server answered ${code}, although the link reads valid until ${until}. Its key may have been changed, or a clock is wrong. Try again to get a new link.`],
    network: ['The server cannot be reached', 'It may have been stopped, or this device is offline. Try again when it is back.'],
    server: ['The server could not answer', `It sent status ${code}. Its log has the reason.`],
    description: ['The server describes no video', 'Its demo.json could not be read.'],
    media: ['The video cannot be decoded', 'The player tried to recover once, and failed again at the same place.'],
    unsupported: ['This browser cannot play HLS', 'It has neither Media Source Extensions nor HLS of its own. The link plays in VLC or ffplay.'],
  }[kind];
  $('fault-title').textContent = title;
  $('fault-text').textContent = words;
  $('fault').hidden = false;
}
