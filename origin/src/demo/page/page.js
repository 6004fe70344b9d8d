// The demo page: it asks the daemon for `demo.json`, plays the signed playlist named there, and shows what happens
// between the server and the screen. The player knows nothing of the page; here its events become text and charts.
//
// `demo.json`: { playlist, title?, expires? (Unix seconds), duration? (seconds), renditions?: [{ name, resolution }] }

import { Chart } from './chart.js';
import { $, text } from './dom.js';
import { showFault } from './fault.js';
import * as format from './format.js';
import { Levels } from './levels.js';
import { SignedLink } from './link.js';
import { Player, faultOf } from './player.js';
import { followTheme } from './theme.js';

const DESCRIPTION = 'demo.json';
const LOG_ROWS = 12;
const MINUTE_MS = 60_000;
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const root = document.documentElement;

followTheme();

const video = $('video');
const player = new Player(video);
const charts = {
  // What a network brings spans decades, and what matters is its ratio to the picture's bitrate: a logarithmic scale.
  bandwidth: new Chart($('bandwidth-chart'), {
    name: 'Measured bandwidth', span: MINUTE_MS, bottom: 1e5, floor: 1e7, format: format.bitsPerSecond, series: { measured: 'area', needed: 'dashed' },
  }),
  buffer: new Chart($('buffer-chart'), {
    name: 'Buffered ahead', span: MINUTE_MS, bottom: 0, floor: 10, format: (s) => `${Math.round(s)} s`, series: { ahead: 'area' },
  }),
};
const row = new Levels($('levels'), player, nameOf);
const link = new SignedLink();
let description = {};

/** What tests and the curious read from the console. */
window.forebay = {
  get hls() {
    return player.hls;
  },
  video,
  stats: () => ({
    currentTime: video.currentTime,
    level: player.level,
    levels: player.levels,
    switches: player.switches,
    bufferSeconds: player.bufferSeconds,
    bandwidth: player.bandwidth,
    dropped: player.frames.dropped,
    errors: [...player.errors],
  }),
};

player.addEventListener('state', () => showState());
player.addEventListener('levels', showLevels);
player.addEventListener('level', showLevels);
player.addEventListener('segment', ({ detail }) => showSegment(detail));
player.addEventListener('fault', ({ detail }) => {
  showFault(detail, description.expires);
  text('log-empty', 'No segment came.');
});
player.addEventListener('gesture', () => {
  showBegin('Play');
  showState();
});
for (const name of ['play', 'pause', 'volumechange']) video.addEventListener(name, () => showState());

$('unmute').addEventListener('click', () => {
  video.muted = false;
  if (video.volume === 0) video.volume = 1;
  video.focus();
});
$('begin').addEventListener('click', () => {
  player.play();
  video.focus();
});
$('retry').addEventListener('click', open);

showState();
tick();
open();

/** Asks for the description and plays it. Also the way back after a fault: a new description brings a fresh link. */
async function open() {
  $('fault').hidden = true;
  player.stop();
  $('log').replaceChildren();
  $('log-empty').hidden = false;
  text('log-empty', 'The first request is on its way.');
  let answer;
  let url;
  try {
    answer = await fetch(DESCRIPTION, { cache: 'no-store' });
    if (!answer.ok) return player.fail(faultOf(answer.status), DESCRIPTION);
    description = await answer.json();
    url = new URL(description.playlist, location.href).href;
  } catch (error) {
    return player.fail({ kind: answer ? 'description' : 'network' }, `${DESCRIPTION}: ${error.message}`);
  }
  showTitle();
  link.show(url, description.expires);
  await player.start(url);
  $('engine').textContent = player.hls ? `Played by hls.js ${window.Hls.version}` : 'Played by the browser’s own HLS';
  if (!player.hls) showNative();
}

function showTitle() {
  const title = description.title || 'Demo';
  $('title').textContent = title;
  document.title = `${title} · forebay`;
}

/** Four times a second, once where less motion is asked for: everything that moves by itself. */
function tick() {
  const now = performance.now();
  const { bandwidth, bufferSeconds, frames } = player;
  const begun = player.state !== 'loading' && player.state !== 'error';
  charts.bandwidth.push(now, { measured: bandwidth, needed: player.levels[player.level]?.bitrate });
  charts.buffer.push(now, { ahead: begun ? bufferSeconds : NaN });
  text('bandwidth', format.bitsPerSecond(bandwidth));
  text('buffer', begun ? `${bufferSeconds.toFixed(1)} s` : '–');
  text('dropped', frames.total > 0 ? `${frames.dropped} of ${frames.total}` : '–');
  text('clock', clock());
  link.tick();
  if (!player.hls) showNative();
  setTimeout(tick, calm.matches ? 1000 : 250);
}

function clock() {
  const whole = Number.isFinite(video.duration) ? video.duration : description.duration;
  return `${format.position(video.currentTime)} / ${format.position(whole)}`;
}

function showState() {
  const { state } = player;
  root.dataset.state = state;
  const paused = video.paused && (state === 'playing' || state === 'stalled');
  const words = { loading: 'Loading', playing: 'Playing', stalled: 'Buffering', error: 'Stopped', ended: 'Ended' };
  const waiting = state === 'loading' && !$('begin').hidden;
  text('status-text', (paused && 'Paused') || (waiting && 'Ready') || words[state]);
  root.classList.toggle('paused', paused);
  $('unmute').hidden = !(video.muted || video.volume === 0) || state === 'loading' || state === 'error' || state === 'ended';
  if (state === 'ended') showBegin('Watch again');
  else if (!video.paused || state === 'error') $('begin').hidden = true;
}

function showBegin(words) {
  $('begin-text').textContent = words;
  $('begin').hidden = false;
}

/** The name of a level: what the server calls it, else what the playlist says. */
function nameOf(level) {
  const resolution = `${level.width}x${level.height}`;
  const same = (description.renditions ?? []).filter((rendition) => rendition.resolution === resolution);
  return (same.length === 1 && same[0].name) || level.name || format.bitsPerSecond(level.bitrate);
}

function showLevels() {
  row.show();
  const shown = player.levels[player.level];
  text('rendition', shown ? nameOf(shown) : '–');
  text('resolution', shown?.width ? `${shown.width} × ${shown.height}` : '–');
  text('bitrate', shown ? format.bitsPerSecond(shown.bitrate) : '–');
  text('codecs', shown?.codecs ? shown.codecs.replaceAll(',', ', ') : '–');
}

/** Where the browser plays by itself it shows the picture's size, and keeps levels, requests and bandwidth to itself. */
function showNative() {
  if (player.state === 'loading' || player.state === 'error') return;
  text('last-load', 'Not told by this browser’s own player');
  text('log-empty', 'This browser plays HLS by itself and does not show its requests.');
  text('rendition', video.videoHeight ? `${video.videoHeight}p` : '–');
  text('resolution', video.videoWidth ? `${video.videoWidth} × ${video.videoHeight}` : '–');
}

function showSegment({ url, bytes, ms, firstByteMs, cache }) {
  // The last two parts of the path name the track and the segment; before them stands the token.
  const name = new URL(url, location.href).pathname.split('/').slice(-2).map(decodeURIComponent).join('/');
  const rate = format.bitsPerSecond((bytes * 8000) / Math.max(ms, 0.1));
  const row = document.createElement('tr');
  const head = document.createElement('th');
  head.scope = 'row';
  head.textContent = name;
  row.append(head, ...[format.bytes(bytes), format.milliseconds(ms), rate, cache || '–'].map((words, column) => {
    const cell = document.createElement('td');
    cell.textContent = words;
    if (column === 2) cell.className = 'wide';
    if (column === 3) cell.dataset.cache = cache;
    return cell;
  }));
  $('log').prepend(row);
  while ($('log').children.length > LOG_ROWS) $('log').lastChild.remove();
  $('log-empty').hidden = true;
  text('last-load', `Last segment ${format.milliseconds(ms)}, first byte ${format.milliseconds(firstByteMs)}`);
}

setInterval(() => Object.values(charts).forEach((chart) => chart.describe()), 5000);
