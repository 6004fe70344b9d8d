// The bar over the whole show: where the picture is in it, what was captured when, what is marked, and the way back to the
// edge. All places on it are moments, in Unix milliseconds of the capture. Events, each a CustomEvent with its `detail`:
//   seek    the viewer wants to see this moment
//   live    the viewer wants to be at the edge

import { $, text } from './dom.js';
import * as format from './format.js';

/** How long the pointer stands still before its picture is asked for. */
const STILL_MS = 120;
/** So near to the end of the bar the edge is meant, in pixels. */
const AT_END = 6;
/** Who is as near to the edge is at it, in words. */
const NEAR_MS = 4_000;
/** How far the keys go, in seconds. */
const KEYS = { ArrowLeft: -5, ArrowDown: -5, ArrowRight: 5, ArrowUp: 5, PageDown: -60, PageUp: 60 };
/** The distances of the times below the bar, in seconds, and the least distance in pixels. */
const STEPS = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200];
const APART = 84;
/** What a time takes, in pixels. */
const WIDE = 60;

export class Dvr extends EventTarget {
  #rail = $('rail');
  #peek = $('peek');
  #preview;
  #span = null;
  #at = NaN;
  #live = true;
  /** Where the pointer is, in pixels from the rail's left end; null while it is elsewhere. */
  #pointer = null;
  /** What it points at. As long as it stands still that is the same moment, although the bar goes on under it. */
  #pointed = NaN;
  #isDragged = false;
  #still = 0;
  #marks = new Map();

  /** @param {Preview} preview the picture above the pointer */
  constructor(preview) {
    super();
    this.#preview = preview;
    const rail = this.#rail;
    rail.addEventListener('pointerenter', (event) => this.#point(event));
    rail.addEventListener('pointermove', (event) => this.#point(event));
    rail.addEventListener('pointerleave', () => this.#isDragged || this.#leave());
    rail.addEventListener('pointerdown', (event) => this.#grasp(event));
    rail.addEventListener('pointerup', (event) => this.#drop(event));
    rail.addEventListener('pointercancel', () => this.#leave());
    rail.addEventListener('keydown', (event) => this.#key(event));
    $('golive').addEventListener('click', () => this.#tell('live'));
    setInterval(() => this.#describe(), 5000);
  }

  /**
   * Shows where the show is. Called as often as something should move.
   * @param {{from: number, to: number} | null} span what is listed; null while that is not known
   * @param {number} at the moment on the screen
   * @param {number} loaded the last moment that is buffered without a hole
   * @param {boolean} live whether the show goes on
   */
  show(span, at, loaded, live) {
    const was = this.#span;
    [this.#at, this.#live] = [at, live];
    // Under a hand the scale stands still.
    if (!this.#isDragged || !span) this.#span = span;
    $('dvr').dataset.known = span ? 'yes' : 'no';
    this.#rail.setAttribute('aria-disabled', String(!span));
    if (!this.#span) {
      this.#leave();
      $('hours').replaceChildren();
      return;
    }
    const [from, played] = [this.#span.from, this.#isDragged ? this.#pointed : at];
    this.#lay($('played'), from, played);
    this.#lay($('loaded'), from, Math.max(loaded, at));
    this.#put($('knob'), played);
    this.#showRange();
    this.#showHours();
    if (this.#pointer !== null) this.#showPeek();
    if (!was) this.#describe();
  }

  /** Shows what is marked: none, one or both of the moments may be NaN. */
  range(from, to) {
    this.#marks = new Map([['from', from], ['to', to]]);
    this.#showRange();
  }

  /** Says at the button whether the screen is at the edge: `word`, and `behind` in seconds where that is not nothing. */
  edge(isLive, word, behind) {
    const button = $('golive');
    button.dataset.live = isLive ? 'yes' : 'no';
    button.title = isLive ? 'At the live edge' : 'To the live edge';
    text('golive-word', word);
    text('golive-behind', behind > 0 ? `−${format.position(behind)}` : '');
  }

  /** What tests look at. */
  get state() {
    return { ...this.#span, at: this.#at, drawn: this.#preview.drawn, requested: this.#preview.requests };
  }

  #grasp(event) {
    if (!this.#span || event.button > 0) return;
    this.#rail.setPointerCapture(event.pointerId);
    this.#isDragged = true;
    this.#rail.classList.add('dragged');
    this.#point(event);
  }

  #drop(event) {
    if (!this.#isDragged) return;
    this.#point(event);
    const { width } = this.#rail.getBoundingClientRect();
    const moment = this.#pointed;
    const isEdge = this.#live && width - this.#pointer < AT_END;
    this.#release();
    // A finger is gone then; a mouse still points.
    if (event.pointerType !== 'mouse') this.#leave();
    this.#tell(isEdge ? 'live' : 'seek', moment);
  }

  #release() {
    this.#isDragged = false;
    this.#rail.classList.remove('dragged');
  }

  #leave() {
    if (this.#pointer === null) return;
    this.#release();
    this.#pointer = null;
    clearTimeout(this.#still);
    this.#preview.rest();
    this.#peek.hidden = true;
    $('ghost').hidden = true;
  }

  #point({ clientX }) {
    if (!this.#span) return;
    const { left, width } = this.#rail.getBoundingClientRect();
    const pointer = Math.min(Math.max(clientX - left, 0), width);
    if (pointer === this.#pointer) return;
    this.#pointer = pointer;
    this.#pointed = this.#momentAt(pointer);
    clearTimeout(this.#still);
    this.#still = setTimeout(() => this.#span && this.#preview.want(this.#pointed), STILL_MS);
    this.#showPeek();
    if (!this.#isDragged) return;
    this.#lay($('played'), this.#span.from, this.#pointed);
    this.#put($('knob'), this.#pointed);
  }

  #showPeek() {
    const moment = this.#pointed;
    const { width } = this.#rail.getBoundingClientRect();
    text('peek-clock', format.clock(moment));
    text('peek-words', this.#words(moment, width - this.#pointer < AT_END));
    this.#peek.hidden = false;
    $('ghost').hidden = false;
    this.#put($('ghost'), moment);
    const half = this.#peek.offsetWidth / 2;
    this.#peek.style.left = `${Math.min(Math.max(this.#pointer, half), Math.max(half, width - half))}px`;
  }

  #words(moment, isEdge) {
    if (!this.#live) return format.position((moment - this.#span.from) / 1000);
    return isEdge ? 'live' : `−${format.position((this.#span.to - moment) / 1000)}`;
  }

  #key(event) {
    if (!this.#span || event.ctrlKey || event.altKey || event.metaKey) return;
    const { from, to } = this.#span;
    const far = KEYS[event.key];
    if (far) this.#tell('seek', Math.min(Math.max(this.#at + far * 1000, from), to));
    else if (event.key === 'Home') this.#tell('seek', from);
    else if (event.key === 'End') this.#tell(this.#live ? 'live' : 'seek', to);
    else return;
    event.preventDefault();
    this.#describe();
  }

  /** What a screen reader says. Not at each move: it would speak all the time. */
  #describe() {
    if (!this.#span || Number.isNaN(this.#at)) return;
    const { from, to } = this.#span;
    const rail = this.#rail;
    rail.setAttribute('aria-valuemin', '0');
    rail.setAttribute('aria-valuemax', String(Math.round((to - from) / 1000)));
    rail.setAttribute('aria-valuenow', String(Math.round((this.#at - from) / 1000)));
    rail.setAttribute('aria-valuetext', `${format.clock(this.#at)} UTC${this.#live && to - this.#at > NEAR_MS ? `, ${format.position((to - this.#at) / 1000)} behind` : ''}`);
  }

  #momentAt(pixels) {
    const { from, to } = this.#span;
    const { width } = this.#rail.getBoundingClientRect();
    return width > 0 ? from + (pixels / width) * (to - from) : to;
  }

  /** The part of the bar before a moment, as a percentage. */
  #share(moment) {
    const { from, to } = this.#span;
    return Math.min(Math.max(((moment - from) / (to - from)) * 100, 0), 100);
  }

  #put(node, moment) {
    node.style.left = `${this.#share(moment)}%`;
  }

  #lay(node, from, to) {
    this.#put(node, from);
    node.style.width = `${Math.max(0, this.#share(to) - this.#share(from))}%`;
  }

  #showRange() {
    const [from, to] = [this.#marks.get('from'), this.#marks.get('to')];
    $('mark-from').hidden = !this.#span || !Number.isFinite(from);
    $('mark-to').hidden = !this.#span || !Number.isFinite(to);
    $('range').hidden = $('mark-from').hidden || $('mark-to').hidden;
    if (!$('range').hidden) this.#lay($('range'), from, to);
    if (!$('mark-from').hidden) this.#put($('mark-from'), from);
    if (!$('mark-to').hidden) this.#put($('mark-to'), to);
  }

  /** Times of day below the bar, at round places. */
  #showHours() {
    const { from, to } = this.#span;
    const { width } = this.#rail.getBoundingClientRect();
    const most = Math.max(2, Math.floor(width / APART));
    const step = (STEPS.find((seconds) => (to - from) / 1000 / seconds <= most) ?? STEPS.at(-1)) * 1000;
    const times = [];
    for (let at = Math.ceil(from / step) * step; at < to - (WIDE / width) * (to - from); at += step) times.push(at);
    const hours = $('hours');
    while (hours.children.length > times.length) hours.lastChild.remove();
    while (hours.children.length < times.length) hours.append(document.createElement('span'));
    times.forEach((at, i) => {
      const words = format.clock(at, step % 60_000 === 0 ? 5 : 8);
      if (hours.children[i].textContent !== words) hours.children[i].textContent = words;
      this.#put(hours.children[i], at);
    });
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
