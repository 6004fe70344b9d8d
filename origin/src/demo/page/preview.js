// The picture at a moment that is only pointed at. A video of its own, which nobody sees or hears, plays the smallest level
// and is drawn to a canvas. Nothing is loaded before the first wish, and nothing while none is there.

import { momentAt, placeOf } from './timeline.js';

/** How long playlists are followed after the last wish: the pointer often comes back. */
const AWAKE_MS = 4_000;
/** How long after a failure nothing is tried. */
const REST_MS = 3_000;
/** What stands so near is the picture that is wanted, in seconds. */
const SAME = 0.04;
/** Where the last whole segment ends there is no picture any more. */
const SHORT_OF_END = 0.1;

export class Preview {
  #canvas;
  #source;
  #video = null;
  #hls = null;
  #url = '';
  #wanted = NaN;
  #sleep = 0;
  #asleep = false;
  #failedAt = -Infinity;

  /**
   * @param {HTMLCanvasElement} canvas what is drawn to; `data-picture` is 'none', 'old' or 'here'
   * @param {() => {url: string, from: number}} source the media playlist, and the moment it begins with
   */
  constructor(canvas, source) {
    this.#canvas = canvas;
    this.#source = source;
    this.#mark('none');
  }

  /** How many requests it has made; tests look at it. */
  requests = 0;

  /** Shows the picture of this moment (Unix milliseconds) as soon as it is there. */
  want(moment) {
    clearTimeout(this.#sleep);
    this.#wanted = moment;
    if (this.#hls && this.#url !== this.#source().url) this.reset();
    if (this.#canvas.dataset.picture === 'here') this.#mark('old');
    if (!this.#hls) this.#begin(moment);
    else if (this.#asleep) this.#hls.startLoad(-1);
    this.#asleep = false;
    this.#aim();
  }

  /** Nothing is wanted any more. */
  rest() {
    clearTimeout(this.#sleep);
    this.#wanted = NaN;
    if (this.#canvas.dataset.picture === 'here') this.#mark('old');
    this.#sleep = setTimeout(() => {
      this.#hls?.stopLoad();
      this.#asleep = true;
    }, AWAKE_MS);
  }

  /** Lets go of everything: the next wish is of another playlist. */
  reset() {
    clearTimeout(this.#sleep);
    this.#hls?.destroy();
    this.#hls = null;
    this.#video = null;
    this.#mark('none');
  }

  #begin(moment) {
    const { Hls } = window;
    const { url, from } = this.#source();
    if (!url || !Hls?.isSupported() || performance.now() - this.#failedAt < REST_MS) return;
    const video = document.createElement('video');
    video.muted = true;
    video.playsInline = true;
    video.addEventListener('seeked', () => this.#draw());
    video.addEventListener('loadeddata', () => this.#aim());
    this.#video = video;
    this.#url = url;
    // Whole segments, one at a time: the show itself needs the network more.
    this.#hls = new Hls({ lowLatencyMode: false, maxBufferLength: 1, maxMaxBufferLength: 2, backBufferLength: 20, startPosition: Math.max(0, (moment - from) / 1000) });
    this.#hls.on(Hls.Events.LEVEL_UPDATED, () => this.#aim());
    for (const sign of [Hls.Events.LEVEL_LOADING, Hls.Events.FRAG_LOADING]) this.#hls.on(sign, () => (this.requests += 1));
    this.#hls.on(Hls.Events.ERROR, (_, { fatal }) => {
      if (!fatal) return;
      this.#failedAt = performance.now();
      this.reset();
    });
    this.#hls.loadSource(url);
    this.#hls.attachMedia(video);
  }

  /** Goes to the moment that is wanted, or as near to it as there are whole segments. */
  #aim() {
    const details = this.#hls?.latestLevelDetails;
    const last = details?.fragments.at(-1);
    if (!last || !this.#video.readyState || Number.isNaN(this.#wanted)) return;
    const [first, end] = [details.fragments[0].start, last.start + last.duration - SHORT_OF_END];
    const place = Math.min(Math.max(placeOf(details, this.#wanted), first), end);
    if (Math.abs(this.#video.currentTime - place) > SAME) this.#video.currentTime = place;
    else if (!this.#video.seeking) this.#draw();
  }

  #draw() {
    const [video, canvas] = [this.#video, this.#canvas];
    // Not yet decoded; `loadeddata` comes.
    if (!video || video.readyState < video.HAVE_CURRENT_DATA || !video.videoWidth) return;
    if (canvas.width !== video.videoWidth || canvas.height !== video.videoHeight) {
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
    }
    canvas.getContext('2d').drawImage(video, 0, 0);
    this.#mark(Number.isNaN(this.#wanted) ? 'old' : 'here');
  }

  /** When what was drawn last was captured, in Unix milliseconds. */
  get drawn() {
    return this.#hls ? momentAt(this.#hls.latestLevelDetails, this.#video.currentTime) : NaN;
  }

  #mark(picture) {
    this.#canvas.dataset.picture = picture;
  }
}
