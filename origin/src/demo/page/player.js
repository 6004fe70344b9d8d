// One video element and what feeds it: hls.js where the browser has Media Source Extensions, else the browser's own HLS.
//
//     loading ──▶ playing ⇄ stalled ──▶ ended ──▶ playing (watched again)
//        └───────────┴─────────┴──▶ error ──▶ loading (started again)
//
// A pause by the viewer is no state of its own: media would flow. Events, each a CustomEvent with its `detail`:
//   state    one of the words above, when it changes
//   levels   the list of levels is there
//   level    another level is on the screen
//   segment  a request of a segment, or of a part of one, has ended: { url, bytes, ms, firstByteMs, cache, part }, where
//            `part` is its number, or null for a whole segment
//   playlist a media playlist has been read: { ms, delta }, where `ms` is how long the request was held, and `delta` whether
//            only what had changed was sent
//   over     nothing more will be listed: the show has ended
//   rejoin   a live show has gone on in the meantime, and the player has followed to its edge
//   trouble  something went wrong that need not be seen: { details, code }
//   fault    playing has ended for good: { kind, code? }, where kind is 'denied', 'network', 'server', 'media',
//            'unsupported', or a word of the page's own
//   gesture  the browser wants a click before it plays

import { Edge } from './edge.js';
import { momentAt, placeOf, spanOf } from './timeline.js';

const HLS_JS = 'hls.min.js';
const HLS_TYPE = 'application/vnd.apple.mpegurl';
/** A media error this long after the last one is a new one and gets its own recovery. */
const RECOVERY_SPACING_MS = 30_000;
const RECONNECT_MS = 1_000;
/** How long the network may bring nothing, with an empty buffer, before that is called a fault. */
const PATIENCE_MS = 8_000;
export class Player extends EventTarget {
  /** The hls.js instance; null while nothing is loaded and where the browser plays HLS itself. */
  hls = null;
  /** Everything that went wrong since the page was opened, survivable or not, oldest first. */
  errors = [];
  /** How often the level on the screen changed, the first one not counted. */
  switches = 0;
  state = 'loading';
  /** What keeps a live show at its edge; null for what has an end. */
  edge = null;

  #video;
  #url = null;
  #from = 0;
  #live;
  #Hls = null;
  #shown = -1;
  #measured = false;
  #isOver = false;
  #recoveredAt = -Infinity;
  #reconnect = 0;
  #patience = 0;

  /**
   * @param {HTMLVideoElement} video where it is shown
   * @param {object} [options]
   * @param {boolean} [options.live] whether it is watched live, with as little delay as the server allows
   */
  constructor(video, { live = false } = {}) {
    super();
    this.#video = video;
    this.#live = live;
    if (live) this.edge = new Edge(this, video, () => this.#tell('rejoin'));
    video.addEventListener('playing', () => this.#enter('playing'));
    video.addEventListener('waiting', () => this.#started() && !this.edge?.underway && this.#enter('stalled'));
    video.addEventListener('seeking', () => this.state === 'ended' && this.#enter('stalled'));
    // With a paused video no `playing` follows a wait or a seek; the first frame that is ready ends it.
    video.addEventListener('canplay', () => video.paused && this.state === 'stalled' && this.#enter('playing'));
    video.addEventListener('ended', () => this.#enter('ended'));
    video.addEventListener('error', () => this.#videoFailed());
  }

  /** Plays the playlist at `url`: what is live from its edge, anything else from `from`, in seconds. What was played before is
   *  let go. */
  async start(url, from = 0) {
    this.stop();
    this.#url = url;
    this.#from = from;
    if (!('MediaSource' in window || 'ManagedMediaSource' in window)) return this.#startNative();
    try {
      this.#Hls = await hlsLibrary();
    } catch (error) {
      return this.fail({ kind: 'network' }, 'hls.js could not be loaded');
    }
    return this.#Hls.isSupported() ? this.#startHls() : this.#startNative();
  }

  /** Lets go of the media and of every request, and is loading again. */
  stop() {
    this.#calm();
    this.hls?.destroy();
    this.hls = null;
    this.#url = null;
    this.#shown = -1;
    this.#measured = false;
    this.#isOver = false;
    this.#recoveredAt = -Infinity;
    this.edge?.reset();
    this.#video.removeAttribute('src');
    this.#video.load();
    this.#enter('loading');
  }

  /** Ends playing for good with a fault (see the events above); `message` is for the list of errors. */
  fail(fault, message) {
    if (message) this.#note({ type: fault.kind, details: message, fatal: true, code: fault.code });
    this.#calm();
    this.hls?.stopLoad();
    this.#video.pause();
    this.#enter('error');
    this.#tell('fault', fault);
  }

  /** What can be chosen from, in hls.js's order; bitrate in bits per second. */
  get levels() {
    return (this.hls?.levels ?? []).map(({ name, width, height, bitrate, frameRate, codecs, audioCodec, videoCodec }) => ({
      name: name || (height ? `${height}p${frameRate > 40 ? Math.round(frameRate) : ''}` : ''),
      width,
      height,
      bitrate,
      codecs: codecs || [videoCodec, audioCodec].filter(Boolean).join(','),
    }));
  }

  /** The URL of a level's playlist; empty where it is not told. */
  get address() {
    return this.hls?.levels[0]?.uri ?? '';
  }

  /** The URL of the smallest level's playlist; empty where it is not told. */
  get smallest() {
    const levels = this.hls?.levels ?? [];
    return levels.reduce((least, level) => (least?.bitrate <= level.bitrate ? least : level), null)?.uri ?? '';
  }

  /** The index of the level on the screen, -1 while there is none. */
  get level() {
    return this.#shown;
  }

  /** The index the viewer asked for, -1 when the choice is left to the measured bandwidth. */
  get chosen() {
    return this.hls?.manualLevel ?? -1;
  }

  /** Switches at the next segment, without a pause; -1 gives the choice back to the player. */
  choose(index) {
    if (this.hls) this.hls.nextLevel = index;
  }

  /** Seconds of media ahead of the playhead in the stretch it stands in. */
  get bufferSeconds() {
    const { buffered, currentTime } = this.#video;
    for (let i = 0; i < buffered.length; i += 1) {
      // A decoder may start a frame late; players bridge gaps of this size by themselves.
      if (buffered.start(i) <= currentTime + 0.1 && buffered.end(i) > currentTime) return buffered.end(i) - currentTime;
    }
    return 0;
  }

  /** Measured bits per second; NaN before the first segment and where the browser keeps it to itself. */
  get bandwidth() {
    return this.hls && this.#measured ? this.hls.bandwidthEstimate : NaN;
  }

  /** Frames that were decoded and not shown, and all frames. */
  get frames() {
    const quality = this.#video.getVideoPlaybackQuality?.();
    return { dropped: quality?.droppedVideoFrames ?? 0, total: quality?.totalVideoFrames ?? 0 };
  }

  /** Seconds between the live edge and the screen; NaN for what has an end. */
  get behindLive() {
    return this.hls?.latestLevelDetails?.live ? this.hls.latency : NaN;
  }

  /** The seconds between them that the server asks for (PART-HOLD-BACK), and what stalls have added to it. */
  get targetBehind() {
    return this.hls?.latestLevelDetails?.live ? this.hls.targetLatency : NaN;
  }

  /** Seconds of media that are listed ahead of the playhead, loaded or not; NaN for what has an end. */
  get listedSeconds() {
    const details = this.hls?.latestLevelDetails;
    return details?.live ? details.edge - this.#video.currentTime : NaN;
  }

  /** Seconds of a part as the playlist promises them; 0 where segments are loaded whole. */
  get partSeconds() {
    return (this.hls?.lowLatencyMode && this.hls.latestLevelDetails?.partTarget) || 0;
  }

  /** When what is on the screen was captured, in Unix milliseconds; NaN where the stream does not say. */
  get captured() {
    return this.hls?.playingDate?.getTime() ?? NaN;
  }

  /** The first and the last moment that is listed, in Unix milliseconds; null where that is not told. */
  get span() {
    return spanOf(this.hls?.latestLevelDetails);
  }

  /** The moment on the screen, or where a seek leads; NaN where that is not told. */
  get moment() {
    return momentAt(this.hls?.latestLevelDetails, this.#video.currentTime);
  }

  /** Goes to a moment that is listed. */
  seek(moment) {
    const place = placeOf(this.hls?.latestLevelDetails, moment);
    if (!Number.isFinite(place)) return;
    if (this.edge) this.edge.leave(place);
    else this.#video.currentTime = place;
  }

  /** Plays, and says so where the browser wants a click first. */
  async play() {
    try {
      await this.#video.play();
    } catch (error) {
      if (error.name === 'NotAllowedError') this.#tell('gesture');
    }
  }

  #startHls() {
    const { Events } = this.#Hls;
    this.hls = new this.#Hls(settings(this.#Hls.DefaultConfig, this.#live, this.#from));
    this.hls.on(Events.MANIFEST_PARSED, () => {
      this.#tell('levels');
      this.play();
    });
    this.hls.on(Events.LEVEL_SWITCHED, (_, { level }) => {
      if (this.#shown >= 0 && this.#shown !== level) this.switches += 1;
      this.#shown = level;
      this.#tell('level');
    });
    this.hls.on(Events.FRAG_LOADED, (_, data) => this.#segmentLoaded(data));
    for (const sign of [Events.FRAG_LOADED, Events.LEVEL_LOADED]) this.hls.on(sign, () => this.#answered());
    for (const sign of [Events.LEVEL_LOADED, Events.AUDIO_TRACK_LOADED]) this.hls.on(sign, (_, data) => this.#playlistLoaded(data));
    this.hls.on(Events.ERROR, (_, data) => this.#hlsFailed(data));
    this.hls.loadSource(this.#url);
    this.hls.attachMedia(this.#video);
  }

  #startNative() {
    if (!this.#video.canPlayType(HLS_TYPE)) return this.fail({ kind: 'unsupported' }, 'neither Media Source Extensions nor HLS');
    this.#video.src = this.#url;
    return this.play();
  }

  #segmentLoaded({ frag, part, networkDetails }) {
    const { stats } = part ?? frag;
    const { start, first, end } = stats.loading;
    this.#measured = true;
    this.#tell('segment', {
      url: (part ?? frag).url,
      bytes: stats.loaded,
      ms: end - start,
      firstByteMs: first - start,
      cache: cacheHint(networkDetails),
      part: part ? part.index : null,
    });
  }

  #playlistLoaded({ details, stats }) {
    this.#tell('playlist', { ms: stats.loading.end - stats.loading.start, delta: details.skippedSegments > 0 });
    if (!this.#live || details.live || this.#isOver) return;
    this.#isOver = true;
    this.#tell('over');
  }

  #hlsFailed({ type, details, fatal, response, error }) {
    // A request that a seek or a switch made needless.
    if (details === this.#Hls.ErrorDetails.INTERNAL_ABORTED) return undefined;
    const code = response?.code;
    this.#note({ type, details, fatal, code, message: error?.message });
    // A refusal holds for every level and every later try: what the link no longer opens, waiting does not open.
    if (code === 401 || code === 403) return this.fail({ kind: 'denied', code });
    if (type === this.#Hls.ErrorTypes.NETWORK_ERROR) return this.#networkFailed(code, fatal);
    if (!fatal) return undefined;
    if (type === this.#Hls.ErrorTypes.MEDIA_ERROR) return this.#recoverMedia();
    return this.fail({ kind: 'media' });
  }

  /** What is buffered plays on while the server is asked again; only a buffer that stays empty ends it. */
  #networkFailed(code, fatal) {
    const fault = code >= 400 ? { kind: 'server', code } : { kind: 'network' };
    // Without a playlist there is nothing to go on with, and what the server refuses it will not give a second later.
    if (fatal && (code >= 400 || this.hls.levels.length === 0)) return this.fail(fault);
    if (fatal) {
      clearTimeout(this.#reconnect);
      this.#reconnect = setTimeout(() => this.hls?.startLoad(), RECONNECT_MS);
    }
    const giveUp = () => {
      if (this.bufferSeconds < 0.5) this.fail(fault);
      else this.#patience = setTimeout(giveUp, 1000);
    };
    this.#patience ||= setTimeout(giveUp, PATIENCE_MS);
    return undefined;
  }

  #answered() {
    clearTimeout(this.#patience);
    this.#patience = 0;
  }

  /** Nothing is awaited of the server any more. */
  #calm() {
    clearTimeout(this.#reconnect);
    this.#answered();
  }

  /** hls.js advises one recovery for a fatal media error: it detaches, attaches and goes on at the same place. */
  #recoverMedia() {
    const now = performance.now();
    if (now - this.#recoveredAt < RECOVERY_SPACING_MS) return this.fail({ kind: 'media' });
    this.#recoveredAt = now;
    this.hls.recoverMediaError();
    return this.play();
  }

  async #videoFailed() {
    const { error } = this.#video;
    // hls.js reports what its own source did; and without a source there is nothing that could fail.
    if (!error || this.hls || !this.#url || this.state === 'error') return;
    const url = this.#url;
    this.#note({ type: 'video', details: `code ${error.code}`, fatal: true, message: error.message });
    // The element does not say which status the server gave, so the playlist is asked once more.
    const answer = await fetch(url, { cache: 'no-store' }).catch(() => null);
    if (url === this.#url && this.state !== 'error') this.fail(answer ? faultOf(answer.status) : { kind: 'network' });
  }

  #started() {
    return this.state === 'playing' || this.state === 'stalled' || this.state === 'ended';
  }

  #enter(state) {
    if (state === this.state || (this.state === 'error' && state !== 'loading')) return;
    this.state = state;
    this.edge?.watch();
    this.#tell('state', state);
  }

  #note(error) {
    this.errors.push({ at: this.#video.currentTime, ...error });
    this.#tell('trouble', error);
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** Which fault an HTTP status other than 2xx stands for; a 2xx means that the media itself was at fault. */
export function faultOf(code) {
  if (code === 401 || code === 403) return { kind: 'denied', code };
  return code >= 400 ? { kind: 'server', code } : { kind: 'media' };
}

/** What differs from hls.js's defaults. */
function settings({ fragLoadPolicy, playlistLoadPolicy, loader }, live, from) {
  // hls.js takes a request without any answer (status 0) for a CORS fault, which no retry heals. The page and its media
  // have one origin, so here it is a server that restarts or a network that is away: the same request is worth repeating.
  const patient = ({ default: policy }) => ({
    default: {
      ...policy,
      errorRetry: {
        ...policy.errorRetry,
        maxRetryDelayMs: 2 * RECONNECT_MS,
        shouldRetry: (_config, _count, _timeout, answer, otherwise) => otherwise || answer?.code === 0,
      },
    },
  });
  return {
    fragLoadPolicy: patient(fragLoadPolicy),
    playlistLoadPolicy: patient(playlistLoadPolicy),
    // The default keeps all that was played; a phone left alone with a long film would run out of memory.
    backBufferLength: 60,
    ...(from > 0 && { startPosition: from }),
    ...(live && {
      pLoader: startless(loader),
      // How far behind the edge it plays is the playlist's PART-HOLD-BACK; a stall adds a little to it, not a second.
      lowLatencyMode: true,
      liveSyncOnStallIncrease: 0.25,
      // What a stall has cost is caught up with so slowly that nobody hears it.
      maxLiveSyncPlaybackRate: 1.1,
      liveDurationInfinity: true,
    }),
  };
}

/** Reads playlists without EXT-X-START: the view from the start has one, and who comes here wants the edge first. */
function startless(Loader) {
  return class extends Loader {
    load(context, config, callbacks) {
      const onSuccess = (answer, ...others) => {
        if (typeof answer.data === 'string') answer.data = answer.data.replace(/^#EXT-X-START:.*\n/m, '');
        callbacks.onSuccess(answer, ...others);
      };
      super.load(context, config, { ...callbacks, onSuccess });
    }
  };
}

/** Loads hls.js once. A browser without Media Source Extensions never asks for it. */
function hlsLibrary() {
  if (window.Hls) return Promise.resolve(window.Hls);
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = HLS_JS;
    script.onload = () => (window.Hls ? resolve(window.Hls) : reject(new Error('hls.js defines no Hls')));
    script.onerror = () => {
      script.remove();
      reject(new Error('hls.js could not be loaded'));
    };
    document.head.append(script);
  });
}

/** What the answer says about caches on its way (RFC 9211, else what older caches say), or an empty text. */
function cacheHint(answer) {
  const header = (name) => answer?.getResponseHeader?.(name) ?? answer?.headers?.get?.(name) ?? '';
  // The last member of the list is the cache closest to the viewer.
  const [cache, ...parameters] = header('cache-status').split(',').at(-1).split(';').map((part) => part.trim());
  if (cache) {
    if (parameters.includes('hit')) return 'hit';
    const forward = parameters.find((parameter) => parameter.startsWith('fwd='));
    const detail = parameters.find((parameter) => parameter.startsWith('detail='));
    return (forward ?? detail)?.split('=')[1].replaceAll('"', '') ?? cache;
  }
  if (header('x-cache')) return header('x-cache').split(',').at(-1).trim().toLowerCase();
  return header('age') ? `age ${header('age')} s` : '';
}
