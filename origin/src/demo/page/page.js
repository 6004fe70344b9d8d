// The demo page: it asks the daemon for `demo.json`, plays the signed playlist named there, and shows what happens
// between the server and the screen. The player knows nothing of the page; here its events become text and charts.
//
// `demo.json`: { playlist, title?, expires? (Unix seconds), duration? (seconds), live?, renditions?: [{ name, resolution }] }

import { Chart } from './chart.js';
import * as format from './format.js';
import { Player, faultOf } from './player.js';

const DESCRIPTION = 'demo.json';
const LOG_ROWS = 12;
const THEME_KEY = 'forebay-theme';
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const dark = matchMedia('(prefers-color-scheme: dark)');
const root = document.documentElement;
const $ = (id) => document.getElementById(id);

followTheme();

const video = $('video');
const player = new Player(video);
const charts = {
  // What a network brings spans decades, and what matters is its ratio to the picture's bitrate: a logarithmic scale.
  bandwidth: new Chart($('bandwidth-chart'), { name: 'Measured bandwidth', bottom: 1e5, floor: 1e7, format: format.bitsPerSecond }),
  buffer: new Chart($('buffer-chart'), { name: 'Buffered ahead', bottom: 0, floor: 10, format: (s) => `${Math.round(s)} s` }),
};
let description = {};
let link = '';
let tool = 'ffplay';

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
player.addEventListener('fault', ({ detail }) => showFault(detail));
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
$('copy-url').addEventListener('click', () => copy(link, $('copy-url')));
$('copy-command').addEventListener('click', () => copy(command(), $('copy-command')));
$('levels').addEventListener('click', ({ target }) => {
  const button = target.closest('button');
  if (!button) return;
  player.choose(Number(button.dataset.level));
  showLevels();
});
document.querySelector('.tools').addEventListener('click', ({ target }) => {
  if (!target.dataset.tool) return;
  tool = target.dataset.tool;
  showCommand();
});

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
  try {
    answer = await fetch(DESCRIPTION, { cache: 'no-store' });
    if (!answer.ok) return player.fail(faultOf(answer.status), DESCRIPTION);
    description = await answer.json();
    link = new URL(description.playlist, location.href).href;
  } catch (error) {
    return player.fail({ kind: answer ? 'description' : 'network' }, `${DESCRIPTION}: ${error.message}`);
  }
  showDescription();
  await player.start(link);
  $('engine').textContent = player.hls ? `Played by hls.js ${window.Hls.version}` : 'Played by the browser’s own HLS';
  if (!player.hls) showNative();
}

function showDescription() {
  const title = description.title || 'Demo';
  $('title').textContent = title;
  document.title = `${title} · forebay`;
  $('url').textContent = link;
  for (const id of ['copy-url', 'copy-command']) $(id).disabled = false;
  showCommand();
}

/** Four times a second, once where less motion is asked for: everything that moves by itself. */
function tick() {
  const now = performance.now();
  const { bandwidth, bufferSeconds, frames } = player;
  const begun = player.state !== 'loading' && player.state !== 'error';
  charts.bandwidth.push(now, bandwidth, player.levels[player.level]?.bitrate);
  charts.buffer.push(now, begun ? bufferSeconds : NaN);
  text('bandwidth', format.bitsPerSecond(bandwidth));
  text('buffer', begun ? `${bufferSeconds.toFixed(1)} s` : '–');
  text('dropped', frames.total > 0 ? `${frames.dropped} of ${frames.total}` : '–');
  text('clock', clock());
  showValidity();
  if (!player.hls) showNative();
  setTimeout(tick, calm.matches ? 1000 : 250);
}

function clock() {
  const behind = player.behindLive;
  if (Number.isFinite(behind)) return `${behind.toFixed(1)} s behind live`;
  if (description.live) return 'Live';
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
  const { levels, level, chosen } = player;
  const buttons = levels
    .map((one, index) => ({ index, bitrate: one.bitrate, name: nameOf(one), note: format.bitsPerSecond(one.bitrate) }))
    .sort((a, b) => b.bitrate - a.bitrate);
  buttons.unshift({ index: -1, name: 'Auto', note: 'by bandwidth' });
  const row = $('levels');
  const kept = new Map([...row.children].map((button) => [Number(button.dataset.level), button]));
  // Buttons stay the same elements, so a switch takes the focus from nobody.
  buttons.forEach(({ index, name, note }, place) => {
    const button = kept.get(index) ?? levelButton(index);
    kept.delete(index);
    button.disabled = false;
    button.firstChild.textContent = name;
    button.lastChild.textContent = note;
    button.setAttribute('aria-pressed', String(index === chosen));
    button.toggleAttribute('data-shown', index === level);
    button.title = index === level ? 'On the screen now' : '';
    if (row.children[place] !== button) row.insertBefore(button, row.children[place] ?? null);
  });
  for (const gone of kept.values()) gone.remove();

  const shown = levels[level];
  text('rendition', shown ? nameOf(shown) : '–');
  text('resolution', shown?.width ? `${shown.width} × ${shown.height}` : '–');
  text('bitrate', shown ? format.bitsPerSecond(shown.bitrate) : '–');
  text('codecs', shown?.codecs ? shown.codecs.replaceAll(',', ', ') : '–');
}

function levelButton(index) {
  const button = document.createElement('button');
  button.type = 'button';
  button.dataset.level = index;
  button.append(document.createElement('b'), document.createElement('small'));
  return button;
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

function showValidity() {
  const { expires } = description;
  if (!link || !Number.isFinite(expires)) return text('validity', link ? 'no expiry told' : '–');
  const left = expires - Date.now() / 1000;
  $('validity').dataset.left = left <= 0 ? 'none' : left < 60 ? 'little' : 'enough';
  return text('validity', left > 0
    ? `valid for ${format.remaining(left)}, until ${format.moment(expires)}`
    : `expired at ${format.moment(expires)}`);
}

function showFault({ kind, code }) {
  const late = description.expires <= Date.now() / 1000;
  const until = Number.isFinite(description.expires) ? format.moment(description.expires) : '';
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
  text('log-empty', 'No segment came.');
}

function command() {
  return { ffplay: `ffplay '${link}'`, vlc: `vlc '${link}'`, curl: `curl '${link}'` }[tool];
}

function showCommand() {
  for (const button of document.querySelectorAll('[data-tool]')) {
    button.setAttribute('aria-pressed', String(button.dataset.tool === tool));
  }
  if (link) text('command', command());
}

async function copy(words, button) {
  const done = await toClipboard(words);
  const before = button.dataset.words ?? button.textContent;
  button.dataset.words = before;
  button.textContent = done ? 'Copied' : 'Select and copy';
  $('said').textContent = done ? 'Copied to the clipboard' : 'The browser did not allow copying';
  setTimeout(() => {
    button.textContent = before;
    $('said').textContent = '';
  }, 2000);
}

async function toClipboard(words) {
  try {
    await navigator.clipboard.writeText(words);
    return true;
  } catch {
    // Over plain http from another machine there is no clipboard API; the older way works on a click.
    const field = document.createElement('textarea');
    field.value = words;
    field.className = 'hidden';
    const focused = document.activeElement;
    document.body.append(field);
    field.select();
    const done = document.execCommand('copy');
    field.remove();
    focused?.focus();
    return done;
  }
}

/** The system's theme until the viewer chooses one; the choice is remembered where the browser allows it. */
function followTheme() {
  let choice = null;
  try {
    choice = localStorage.getItem(THEME_KEY);
  } catch {
    // Storage is refused in some private windows; the choice then lasts as long as the page.
  }
  const apply = () => {
    const night = choice ? choice === 'dark' : dark.matches;
    root.dataset.theme = night ? 'dark' : 'light';
    $('theme').setAttribute('aria-label', `Use the ${night ? 'light' : 'dark'} theme`);
  };
  $('theme').addEventListener('click', () => {
    choice = root.dataset.theme === 'dark' ? 'light' : 'dark';
    try {
      localStorage.setItem(THEME_KEY, choice);
    } catch {
      // As above.
    }
    apply();
  });
  dark.addEventListener('change', apply);
  apply();
}

/** Writes only what changed: a screen reader and the layout are left alone otherwise. */
function text(id, words) {
  const node = $(id);
  if (node.textContent !== words) node.textContent = words;
}

setInterval(() => Object.values(charts).forEach((chart) => chart.describe()), 5000);
