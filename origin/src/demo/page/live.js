// The live page: it asks the daemon for `demo.json`, plays the signed playlist named there with as little delay as the server
// allows, and shows how far the screen is behind the camera, and why.
//
// `demo.json`: { playlist, title, expires (Unix seconds), now_ms (the server's clock, Unix milliseconds) }

import { Chart } from './chart.js';
import { $, text } from './dom.js';
import { Events } from './events.js';
import { showFault } from './fault.js';
import * as format from './format.js';
import { Levels } from './levels.js';
import { SignedLink } from './link.js';
import { Player, faultOf } from './player.js';
import { Reach } from './reach.js';
import { followTheme } from './theme.js';

const DESCRIPTION = 'demo.json';
const SPAN_MS = 120_000;
/** How long rates are averaged over. */
const RATE_MS = 4000;
/** A jump of the picture that is worth a word, in seconds. */
const JUMP = 0.4;
/** How far beyond what is asked for the delay is worth a word, and where that is over, in seconds. */
const FAR = 1;
const NEAR = 0.5;
const AGAIN_MS = 1000;
/** What hls.js's troubles are called here; those without words are told by the state already. */
const TROUBLES = {
  bufferStalledError: '',
  bufferNudgeOnStall: '',
  bufferAppendNoProgress: '',
  fragGap: 'Something is missing in the stream',
  bufferSeekOverHole: '',
  levelEmptyError: 'Nothing is listed yet',
  levelLoadTimeOut: 'A playlist is late',
  audioTrackLoadTimeOut: 'A playlist is late',
  fragLoadTimeOut: 'A part is late',
  levelLoadError: 'A playlist did not come',
  audioTrackLoadError: 'A playlist did not come',
  fragLoadError: 'A part did not come',
};
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const root = document.documentElement;

followTheme();

const video = $('video');
const player = new Player(video, { live: true });
const seconds = (s) => `${Number(s.toFixed(1))} s`;
const timeless = { span: SPAN_MS, bottom: 0, timeless: true };
const charts = {
  delay: new Chart($('delay-chart'), {
    ...timeless, name: 'Delay from the camera to the screen', floor: 2, format: seconds, series: { glass: 'area', edge: 'line', target: 'dashed' },
  }),
  buffer: new Chart($('buffer-chart'), { ...timeless, name: 'Buffered ahead', floor: 1, format: seconds, series: { ahead: 'area' } }),
  requests: new Chart($('requests-chart'), {
    ...timeless, name: 'Parts a second', floor: 8, format: (n) => `${n} /s`, series: { parts: 'bars', asked: 'line' },
  }),
  level: new Chart($('level-chart'), { ...timeless, name: 'Short side of the picture', floor: 400, bare: true, format: (n) => `${n}p`, series: { lines: 'steps' } }),
};
const reach = new Reach($('reach'));
const events = new Events($('events'));
const row = new Levels($('levels'), player, nameOf);
const link = new SignedLink();
/** Times of requests that ended, the latest few seconds of them, and how many there were. */
const parts = { times: [], count: 0 };
const playlists = { times: [], count: 0, heldMs: NaN };
let description = {};
/** What the server's clock is ahead of this machine's, in milliseconds. */
let ahead = 0;
let show = null;
let joined = false;
let stalls = 0;
let stalledMs = 0;
let stalledAt = null;
let shownAt = null;
let isFar = false;
let lastSecond = 0;
let waitingForShow = 0;

/** What tests and the curious read from the console. */
window.forebay = {
  get hls() {
    return player.hls;
  },
  video,
  stats: () => ({
    show,
    currentTime: video.currentTime,
    state: player.state,
    level: player.level,
    levels: player.levels,
    switches: player.switches,
    glassSeconds: glass(),
    latency: player.behindLive,
    targetLatency: player.targetBehind,
    partSeconds: player.partSeconds,
    bufferSeconds: player.bufferSeconds,
    bandwidth: player.bandwidth,
    rate: video.playbackRate,
    parts: parts.count,
    playlists: playlists.count,
    stalls,
    stalledMs,
    dropped: player.frames.dropped,
    errors: [...player.errors],
  }),
};

player.addEventListener('state', ({ detail }) => stateChanged(detail));
player.addEventListener('levels', () => row.show());
player.addEventListener('level', () => levelChanged());
player.addEventListener('segment', ({ detail }) => {
  if (detail.part !== null) count(parts);
});
player.addEventListener('playlist', ({ detail }) => {
  count(playlists);
  playlists.heldMs = detail.ms;
});
player.addEventListener('rejoin', () => {
  shownAt = video.currentTime;
  happened('warn', 'Went on at the live edge');
});
player.addEventListener('trouble', ({ detail }) => troubled(detail));
player.addEventListener('fault', ({ detail }) => {
  showFault(detail, description.expires);
  happened('bad', $('fault-title').textContent);
  // A live page comes back by itself, also with a new link for an old one.
  if (['network', 'server', 'denied'].includes(detail.kind)) awaitShow(null);
});
player.addEventListener('gesture', () => {
  text('begin-text', 'Watch live');
  $('begin').hidden = false;
  showState();
});
for (const name of ['play', 'pause', 'volumechange']) video.addEventListener(name, () => showState());
// Nobody seeks by hand in the first seconds; what is missing in the stream is jumped over by the player.
video.addEventListener('seeking', () => {
  const jump = video.currentTime - (shownAt ?? video.currentTime);
  if (joined && !player.edge.closingIn && Math.abs(jump) > JUMP) happened('warn', `Jumped ${Math.abs(jump).toFixed(1)} s ${jump > 0 ? 'ahead' : 'back'}`);
});

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
$('badge').addEventListener('click', () => {
  player.edge.go();
  player.play();
});

showState();
tick();
tickClock();
open();

/** Asks for the description and plays it. Also the way back after a fault, and into the next show. */
async function open() {
  clearTimeout(waitingForShow);
  for (const id of ['fault', 'notice', 'badge']) $(id).hidden = true;
  player.stop();
  joined = false;
  stalledAt = null;
  shownAt = null;
  let url;
  try {
    url = await describe();
  } catch (fault) {
    return player.fail(fault, `${DESCRIPTION}: ${fault.message ?? fault.kind}`);
  }
  const title = description.title || 'Live';
  $('title').textContent = title;
  document.title = `${title} · forebay`;
  link.show(url, description.expires);
  await player.start(url);
  $('engine').textContent = player.hls ? `Played by hls.js ${window.Hls.version}` : 'Played by the browser’s own HLS';
}

/** Fetches the description and gives the playlist's URL, or throws a fault. Half of the way is on the server's clock. */
async function describe() {
  const asked = Date.now();
  const answer = await fetch(DESCRIPTION, { cache: 'no-store' }).catch(() => {
    throw { kind: 'network' };
  });
  const answered = Date.now();
  if (!answer.ok) throw faultOf(answer.status);
  try {
    description = await answer.json();
    ahead = Number.isFinite(description.now_ms) ? description.now_ms - (asked + answered) / 2 : 0;
    return new URL(description.playlist, location.href).href;
  } catch {
    throw { kind: 'description' };
  }
}

/** Seconds from the camera to the screen, by the server's clock. */
function glass() {
  return (Date.now() + ahead - player.captured) / 1000;
}

/** Four times a second, once where less motion is asked for: everything that moves by itself. */
function tick() {
  const now = performance.now();
  const { bufferSeconds, frames, behindLive, targetBehind, listedSeconds, partSeconds } = player;
  const begun = joined && player.state !== 'error';
  const [whole, edge, target, buffer] = begun ? [glass(), behindLive, targetBehind, bufferSeconds] : [NaN, NaN, NaN, NaN];
  const lines = sizeOf(player.levels[player.level]);
  charts.delay.push(now, { glass: whole, edge, target });
  charts.buffer.push(now, { ahead: buffer });
  charts.level.push(now, { lines: begun ? lines : NaN });
  pushRequests(now);
  reach.show(whole, listedSeconds, buffer);
  watchDistance(player.state === 'playing' ? whole - target : NaN);
  showHuge(whole);
  text('badge-behind', short(whole, 'behind'));
  text('lane-delay', short(whole));
  text('lane-buffer', short(buffer));
  text('lane-level', begun && lines ? `${lines}p` : '–');
  text('edge', short(edge));
  text('target', Number.isFinite(target) ? `asked for ${target.toFixed(2)} s` : '–');
  text('buffer', short(buffer));
  text('rate', begun ? `played at ${video.playbackRate.toFixed(2)}×` : '–');
  text('parts', perSecond(parts, now));
  text('lane-requests', perSecond(parts, now));
  text('part', partSeconds > 0 ? `of ${Math.round(partSeconds * 1000)} ms` : 'whole segments');
  text('playlists', perSecond(playlists, now));
  text('held', Number.isFinite(playlists.heldMs) ? `held ${format.milliseconds(playlists.heldMs)}` : '–');
  showStalls(now);
  text('dropped', frames.total > 0 ? String(frames.dropped) : '–');
  text('frames', frames.total > 0 ? `of ${frames.total}` : '–');
  link.tick();
  if (!video.seeking) shownAt = video.currentTime;
  if (begun && root.classList.contains('far') !== player.edge.isFar) showState();
  setTimeout(tick, calm.matches ? 1000 : 250);
}

/** Says when the screen falls back, and when it has caught up. */
function watchDistance(excess) {
  if (!Number.isFinite(excess) || (isFar ? excess > NEAR : excess < FAR)) return;
  isFar = !isFar;
  happened(isFar ? 'warn' : 'good', `${isFar ? 'Fell back to' : 'Caught up to'} ${glass().toFixed(1)} s behind`);
}

/** A bar for each second. */
function pushRequests(now) {
  const second = Math.floor(now / 1000);
  if (second === lastSecond) return;
  lastSecond = second;
  const within = (list) => list.times.filter((at) => Math.floor(at / 1000) === second - 1).length;
  charts.requests.push(second * 1000, { parts: within(parts), asked: within(playlists) });
}

/** The time of day on the server's clock, to hold against the picture. */
function tickClock() {
  text('clock', timeOfDay(1));
  setTimeout(tickClock, calm.matches ? 1000 : 100);
}

function timeOfDay(digits) {
  const iso = new Date(Date.now() + ahead).toISOString();
  return `${iso.slice(11, digits > 0 ? 20 + digits : 19)} UTC`;
}

function stateChanged(state) {
  const now = performance.now();
  if (stalledAt !== null && state !== 'stalled') {
    const ms = now - stalledAt;
    stalledMs += ms;
    stalledAt = null;
    if (state === 'playing') happened('warn', `Plays on after ${format.milliseconds(ms)}`);
  }
  if (state === 'playing' && !joined) {
    joined = true;
    show = player.address.match(/\/live\/[^/]+\/(\d+)\//)?.[1] ?? null;
    $('badge').hidden = false;
    isFar = false;
    happened('good', `${show ? `Joined show ${show}` : 'Joined'}, ${short(glass(), 'behind') || 'live'}`);
  } else if (state === 'stalled' && joined && !video.paused) {
    stalls += 1;
    stalledAt = now;
    mark(now, 'stall');
    happened('bad', 'Stalled: the pool is empty');
  } else if (state === 'ended') {
    happened('warn', show ? `Show ${show} has ended` : 'The show has ended');
    text('notice', 'The show has ended. The next one is waited for.');
    $('notice').hidden = false;
    awaitShow(show);
  }
  showState();
}

/** Looks for a show other than this one until there is one, and opens it. */
async function awaitShow(former) {
  clearTimeout(waitingForShow);
  try {
    const playlist = await fetch(await describe(), { cache: 'no-store' });
    const next = playlist.ok && (await playlist.text()).match(/^(\d+)\//m)?.[1];
    if (next && next !== former) return open();
  } catch {
    // The server may be away for a while; the next look will tell.
  }
  waitingForShow = setTimeout(() => awaitShow(former), AGAIN_MS);
  return undefined;
}

function levelChanged() {
  row.show();
  const shown = player.levels[player.level];
  if (!shown) return;
  if (joined) mark(performance.now(), 'switch');
  happened('good', `${nameOf(shown)} is on the screen`);
}

/** What hls.js says of its troubles, once for each burst of the same. */
function troubled({ details, code }) {
  const words = TROUBLES[details] ?? details;
  if (words && words !== troubled.last) happened('warn', code ? `${words} (${code})` : words);
  troubled.last = words;
  clearTimeout(troubled.calm);
  troubled.calm = setTimeout(() => (troubled.last = null), 2000);
}

function happened(kind, words) {
  events.add(timeOfDay(0).slice(0, 8), kind, words);
}

function mark(now, kind) {
  for (const chart of Object.values(charts)) chart.mark(now, kind);
}

function showState() {
  const { state } = player;
  root.dataset.state = state;
  const paused = video.paused && (state === 'playing' || state === 'stalled');
  const waiting = state === 'loading' && !$('begin').hidden;
  const far = joined && player.edge.isFar;
  root.classList.toggle('far', far);
  const words = { loading: 'Joining', playing: far ? 'Behind' : 'Live', stalled: 'Stalled', error: 'Stopped', ended: 'Ended' };
  const word = (paused && 'Paused') || (waiting && 'Ready') || words[state];
  text('status-text', word);
  text('badge-word', far || paused ? 'Go live' : word);
  root.classList.toggle('paused', paused);
  $('unmute').hidden = !(video.muted || video.volume === 0) || ['loading', 'error', 'ended'].includes(state);
  if (state === 'error' || state === 'ended') $('badge').hidden = true;
  if (!video.paused || state === 'error' || state === 'ended') $('begin').hidden = true;
}

function showHuge(whole) {
  const known = Number.isFinite(whole);
  const words = known ? whole.toFixed(2) : '–';
  const huge = $('glass');
  if (huge.firstChild?.textContent === words) return;
  const unit = document.createElement('small');
  unit.textContent = known ? 'seconds' : '';
  huge.replaceChildren(words, unit);
}

function showStalls(now) {
  const ms = stalledMs + (stalledAt === null ? 0 : now - stalledAt);
  text('stalls', String(stalls));
  $('stalls').dataset.alarm = stalledAt === null ? 'no' : 'yes';
  text('stalled', stalls > 0 ? `${format.milliseconds(ms)} in all` : 'none so far');
}

/** The short side of a level's picture, as its rendition is named after it; undefined where it is not told. */
function sizeOf(level) {
  return level?.height ? Math.min(level.width, level.height) : undefined;
}

function nameOf(level) {
  return sizeOf(level) ? `${sizeOf(level)}p` : level.name || format.bitsPerSecond(level.bitrate);
}

function count(list) {
  const now = performance.now();
  list.count += 1;
  list.times.push(now);
  while (list.times[0] < now - RATE_MS) list.times.shift();
}

function perSecond(list, now) {
  if (list.count === 0) return '–';
  const recent = list.times.filter((at) => at > now - RATE_MS).length;
  return `${((recent * 1000) / RATE_MS).toFixed(1)} /s`;
}

function short(s, behind) {
  if (!Number.isFinite(s)) return behind ? '' : '–';
  return behind ? `${s.toFixed(1)} s ${behind}` : `${s.toFixed(2)} s`;
}

setInterval(() => Object.values(charts).forEach((chart) => chart.describe()), 5000);
