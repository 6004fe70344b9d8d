// The live page: it asks the daemon for `demo.json`, plays the show of the signed playlist named there with as little delay as
// the server allows, and shows how far the screen is behind the camera, and why. Played is the show's view from its start,
// which is as fast at the edge, so that all of it can be gone back to; once it has ended, its view on demand.
//
//     live ──the show ends──▶ recording ──the next one begins──▶ live
//
// `demo.json`: { playlist, title, expires (Unix seconds), now_ms (the server's clock, Unix milliseconds), clip? (where clips
// are asked for, see clip.js) }

import { Chart } from './chart.js';
import { Cutter } from './clip.js';
import { $, text } from './dom.js';
import { Dvr } from './dvr.js';
import { Events } from './events.js';
import { showFault } from './fault.js';
import * as format from './format.js';
import { Levels } from './levels.js';
import { SignedLink } from './link.js';
import { Player, faultOf } from './player.js';
import { Preview } from './preview.js';
import { Reach } from './reach.js';
import { followTheme } from './theme.js';

const DESCRIPTION = 'demo.json';
/** The views of a show, beside the one of the signed playlist. */
const FROM_START = 'start.m3u8';
const ON_DEMAND = 'vod.m3u8';
/** How often a recording is looked for. */
const LOOKS = 15;
const SPAN_MS = 120_000;
/** How long rates are averaged over. */
const RATE_MS = 4000;
/** A jump of the picture that is worth a word, in seconds. */
const JUMP = 0.4;
/** How far beyond what is asked for the delay is worth a word, and where that is over, in seconds. */
const FAR = 1;
const NEAR = 0.5;
/** From so many seconds on, they are told as minutes and hours. */
const LONG = 100;
const AGAIN_MS = 1000;
/** Whoever is as near to the end of a show, in seconds, sees it before the recording. */
const LAST = 10;
/** How long the very last of it is waited for. */
const LAST_MS = 700;
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
const dvr = new Dvr(new Preview($('peek-picture'), () => ({ url: player.smallest, from: player.span?.from })));
const cutter = new Cutter(() => ({ ...place(), at: player.moment }));
/** Times of requests that ended, the latest few seconds of them, and how many there were. */
const parts = { times: [], count: 0 };
const playlists = { times: [], count: 0, heldMs: NaN };
let description = {};
/** What the server's clock is ahead of this machine's, in milliseconds. */
let ahead = 0;
let show = null;
let joined = false;
/** Whether the show has ended, and whether its recording is played. */
let over = false;
let recorded = false;
/** Whether the viewer has chosen what of a recording to see; the next show then only offers itself. */
let busy = false;
let nextShow = false;
let stalls = 0;
let stalledMs = 0;
let stalledAt = null;
/** Since when the player is in its state. */
let enteredAt = 0;
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
    far: player.edge.isFar,
    recorded,
    dvr: dvr.state,
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
player.addEventListener('over', () => {
  over = true;
  if (recorded) return;
  const { span, moment } = player;
  // At the edge, the last seconds are seen first.
  if (!joined) record();
  else if (!(span?.to - moment < LAST * 1000)) record(moment);
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
video.addEventListener('pause', () => (busy ||= recorded && !video.ended));
// Nobody seeks by hand in the first seconds; what is missing in the stream is jumped over by the player.
video.addEventListener('seeking', () => {
  const jump = video.currentTime - (shownAt ?? video.currentTime);
  if (joined && !player.edge.underway && Math.abs(jump) > JUMP) happened('warn', `Jumped ${Math.abs(jump).toFixed(1)} s ${jump > 0 ? 'ahead' : 'back'}`);
});

$('unmute').addEventListener('click', () => {
  video.muted = false;
  if (video.volume === 0) video.volume = 1;
  video.focus();
});
$('begin').addEventListener('click', () => {
  busy ||= recorded;
  player.play();
  video.focus();
});
$('retry').addEventListener('click', open);
$('badge').addEventListener('click', goLive);
dvr.addEventListener('live', goLive);
dvr.addEventListener('seek', ({ detail: moment }) => {
  busy ||= recorded;
  happened('good', `Went to ${format.clock(moment)}`);
  if (over && !recorded) return record(moment);
  player.seek(moment);
  return showPlace();
});
cutter.addEventListener('range', ({ detail: { from, to } }) => {
  busy ||= recorded && (from > 0 || to > 0);
  dvr.range(from, to);
});
// One sound at a time.
cutter.addEventListener('play', () => (video.muted = true));

showState();
tick();
tickClock();
open();

/** Asks for the description and plays it. Also the way back after a fault, and into the next show. */
async function open() {
  clearTimeout(waitingForShow);
  for (const id of ['fault', 'notice', 'badge']) $(id).hidden = true;
  forget();
  over = false;
  recorded = false;
  busy = false;
  nextShow = false;
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
  const endpoint = description.clip ? new URL(description.clip, location.href).href : null;
  // What stands before the path of the show is the token, which covers its clips too.
  cutter.offer(endpoint, (path) => url.replace(/\/live\/.*$/, path));
  await player.start(new URL(FROM_START, url).href);
  // The browser's own player tells nothing of what the bar shows.
  $('dvr').hidden = !player.hls;
  $('engine').textContent = player.hls ? `Played by hls.js ${window.Hls.version}` : 'Played by the browser’s own HLS';
}

/** Plays what is recorded of a show that has ended: from `moment` on, else from its beginning. */
async function record(moment) {
  const [former, address, from] = [place().show, player.address, player.span?.from];
  recorded = true;
  busy = moment > 0;
  let url;
  try {
    url = new URL(`../${ON_DEMAND}`, address).href;
    // It is there within the second.
    if (!(await answers(url))) url = null;
  } catch {
    url = null;
  }
  // Meanwhile somebody has tried again.
  if (!recorded) return;
  if (url) {
    forget();
    await player.start(url, moment > from ? (moment - from) / 1000 : 0);
  }
  text('notice', url ? 'The show has ended. This is its recording.' : 'The show has ended. The next one is waited for.');
  $('notice').hidden = false;
  awaitShow(former);
}

/** Whether there is something at a URL, now or in a few seconds. */
async function answers(url) {
  for (let look = 0; look < LOOKS; look += 1) {
    const answer = await fetch(url, { cache: 'no-store' }).catch(() => null);
    if (answer?.ok) return true;
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
  return false;
}

/** Lets go of what is played. */
function forget() {
  player.stop();
  joined = false;
  stalledAt = null;
  shownAt = null;
}

/** To the edge of the show that runs, from wherever the viewer is. */
function goLive() {
  if (nextShow) return open();
  player.edge.go();
  return player.play();
}

/** Which show is played, as the URL says. */
function place() {
  const [, stream, number] = player.address.match(/\/live\/([^/]+)\/(\d+)\//) ?? [];
  return { stream: stream && decodeURIComponent(stream), show: number && Number(number) };
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
  const begun = joined && player.state !== 'error' && !recorded;
  const [whole, edge, target, buffer] = begun ? [glass(), behindLive, targetBehind, bufferSeconds] : [NaN, NaN, NaN, NaN];
  const lines = sizeOf(player.levels[player.level]);
  charts.delay.push(now, { glass: whole, edge, target });
  charts.buffer.push(now, { ahead: buffer });
  charts.level.push(now, { lines: begun ? lines : NaN });
  pushRequests(now);
  reach.show(whole, listedSeconds, buffer);
  watchDistance(player.state === 'playing' && !player.edge.elsewhere ? whole - target : NaN);
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
  showPlace();
  // hls.js may wait for ever for what is shorter than a part.
  if (over && !recorded && player.state === 'stalled' && now - enteredAt > LAST_MS) record();
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
  enteredAt = now;
  if (stalledAt !== null && state !== 'stalled') {
    const ms = now - stalledAt;
    stalledMs += ms;
    stalledAt = null;
    if (state === 'playing') happened('warn', `Plays on after ${format.milliseconds(ms)}`);
  }
  if (state === 'playing' && !joined) {
    joined = true;
    const former = show;
    show = place().show ?? null;
    if (show !== former) cutter.clear();
    $('badge').hidden = false;
    isFar = false;
    if (recorded) happened('good', `Plays the recording of show ${show}`);
    else happened('good', `${show ? `Joined show ${show}` : 'Joined'}, ${short(glass(), 'behind') || 'live'}`);
  } else if (state === 'stalled' && joined && !video.paused && !over) {
    stalls += 1;
    stalledAt = now;
    mark(now, 'stall');
    happened('bad', 'Stalled: the pool is empty');
  } else if (state === 'ended' && !recorded) {
    happened('warn', show ? `Show ${show} has ended` : 'The show has ended');
    record();
  } else if (state === 'ended') {
    text('begin-text', 'Watch again');
    $('begin').hidden = false;
  }
  showState();
}

/** Looks for a show other than this one until there is one, and opens it, or offers it to who is busy with this one. */
async function awaitShow(former) {
  clearTimeout(waitingForShow);
  try {
    const playlist = await fetch(await describe(), { cache: 'no-store' });
    const next = playlist.ok && Number((await playlist.text()).match(/^(\d+)\//m)?.[1]);
    if (next && next !== former) {
      if (!busy) return open();
      nextShow = true;
      text('notice', 'The show has ended. The next one has begun.');
      return showState();
    }
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
  root.classList.toggle('recorded', recorded);
  const words = { loading: 'Joining', playing: (recorded && 'Recording') || (far ? 'Behind' : 'Live'), stalled: 'Stalled', error: 'Stopped', ended: 'Ended' };
  const word = (paused && 'Paused') || (waiting && 'Ready') || words[state];
  text('status-text', word);
  text('badge-word', nextShow || (!recorded && (far || paused)) ? 'Go live' : word);
  root.classList.toggle('paused', paused);
  $('unmute').hidden = !(video.muted || video.volume === 0) || ['loading', 'error', 'ended'].includes(state);
  if (state === 'error' || state === 'ended') $('badge').hidden = true;
  if (!video.paused || state === 'error' || (state === 'ended' && !recorded)) $('begin').hidden = true;
  showPlace();
}

/** Where in the show the picture is: on the bar, and in words. */
function showPlace() {
  const { span, moment, bufferSeconds, state } = player;
  dvr.show(span, moment, moment + bufferSeconds * 1000, !recorded);
  const isLive = joined && !recorded && !video.paused && !player.edge.isFar && ['playing', 'stalled'].includes(state);
  const behind = span && !recorded && !isLive ? (span.to - moment) / 1000 : 0;
  const ended = recorded && !nextShow;
  dvr.edge(isLive, (isLive && 'Live') || (ended ? 'Ended' : 'Go live'), behind);
  $('golive').disabled = ended || !span;
  text('place', format.clock(moment));
  text('place-words', span ? format.position((moment - span.from) / 1000) : '');
  text('place-whole', span ? `of ${format.position((span.to - span.from) / 1000)}` : '');
}

function showHuge(whole) {
  const known = Number.isFinite(whole);
  const words = known ? (whole < LONG ? whole.toFixed(2) : format.position(whole)) : '–';
  const huge = $('glass');
  if (huge.firstChild?.textContent === words) return;
  const unit = document.createElement('small');
  unit.textContent = known && whole < LONG ? 'seconds' : '';
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
  if (s >= LONG) return [format.position(s), behind].filter(Boolean).join(' ');
  return behind ? `${s.toFixed(1)} s ${behind}` : `${s.toFixed(2)} s`;
}

setInterval(() => Object.values(charts).forEach((chart) => chart.describe()), 5000);
