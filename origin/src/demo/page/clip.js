// Two marks in the show, and the clip between them, where the server cuts some. It is asked with
//     POST <endpoint>   { stream, show, from_ms, to_ms }
// and answers 201 with { asset, path, from_ms, to_ms }: `path` is played under the token that the show is. Anything else is a
// refusal, as text.

import { $, text } from './dom.js';
import * as format from './format.js';
import { copy } from './link.js';
import { Player } from './player.js';

/** How many clips stay on the page. */
const KEPT = 5;
/** How much of a refusal is shown, in characters. */
const WORDS = 300;
const FROM = 'from';
const TO = 'to';

export class Cutter extends EventTarget {
  #endpoint = null;
  #link = (path) => path;
  #where;
  #marks = { [FROM]: NaN, [TO]: NaN };
  #isCutting = false;

  /**
   * Tells `range` of each change of the marks, as { from, to } in Unix milliseconds, and `play` before a clip plays.
   * @param {() => {stream: string, show: number, at: number}} where what is on the screen, and the moment of it
   */
  constructor(where) {
    super();
    this.#where = where;
    $('set-from').addEventListener('click', () => this.#set(FROM));
    $('set-to').addEventListener('click', () => this.#set(TO));
    $('unmark').addEventListener('click', () => this.clear());
    $('cut').addEventListener('click', () => this.#cut());
    document.addEventListener('keydown', (event) => this.#key(event));
    this.#show();
  }

  /**
   * Takes note of where clips are asked for; null where nobody cuts any.
   * @param {(path: string) => string} link the URL under which a path is played
   */
  offer(endpoint, link) {
    this.#endpoint = endpoint;
    this.#link = link;
    this.#show();
  }

  /** Forgets the marks: they are of another show. */
  clear() {
    this.#marks = { [FROM]: NaN, [TO]: NaN };
    this.#say('');
    this.#show();
  }

  #key({ key, target, ctrlKey, altKey, metaKey }) {
    if (ctrlKey || altKey || metaKey || target.closest?.('input, textarea, select, [contenteditable]')) return;
    if (key === 'i' || key === 'I') this.#set(FROM);
    if (key === 'o' || key === 'O') this.#set(TO);
  }

  #set(end) {
    const { at } = this.#where();
    if (!Number.isFinite(at)) return;
    this.#marks[end] = at;
    // A range that would run backwards begins anew with the mark that was just set.
    if (this.#marks[FROM] >= this.#marks[TO]) this.#marks[end === FROM ? TO : FROM] = NaN;
    this.#say('');
    this.#show();
  }

  #show() {
    const { from, to } = this.#marks;
    const [begun, whole] = [Number.isFinite(from) || Number.isFinite(to), Number.isFinite(from) && Number.isFinite(to)];
    text('marked', (whole && format.length(to - from)) || (begun && (Number.isFinite(from) ? 'set an end' : 'set a beginning')) || '');
    $('set-from').setAttribute('aria-pressed', String(Number.isFinite(from)));
    $('set-to').setAttribute('aria-pressed', String(Number.isFinite(to)));
    $('set-from').title = Number.isFinite(from) ? `In at ${format.clock(from)} UTC` : 'Mark the beginning of a clip';
    $('set-to').title = Number.isFinite(to) ? `Out at ${format.clock(to)} UTC` : 'Mark the end of a clip';
    $('unmark').hidden = !begun;
    $('cut').hidden = !this.#endpoint;
    $('cut').disabled = !whole || this.#isCutting;
    $('cut').textContent = this.#isCutting ? 'Cutting …' : 'Cut clip';
    this.dispatchEvent(new CustomEvent('range', { detail: { from, to } }));
  }

  async #cut() {
    const { stream, show } = this.#where();
    const [from, to] = [Math.round(this.#marks.from), Math.round(this.#marks.to)];
    this.#isCutting = true;
    this.#say('');
    this.#show();
    try {
      const clip = await ask(this.#endpoint, { stream, show, from_ms: from, to_ms: to });
      this.#add(clip.asset, this.#link(clip.path), clip.from_ms, clip.to_ms);
    } catch (error) {
      this.#say(error.message, 'bad');
    }
    this.#isCutting = false;
    this.#show();
  }

  #add(asset, url, from, to) {
    const clip = new Clip(asset, url, from, to, () => this.dispatchEvent(new CustomEvent('play')));
    $('clips').prepend(clip.node);
    while ($('clips').children.length > KEPT) $('clips').lastChild.remove();
    $('said').textContent = `The clip ${asset} is there`;
  }

  #say(words, kind = '') {
    const line = $('cut-words');
    line.hidden = !words;
    line.className = kind;
    line.textContent = words;
  }
}

/** One clip in the list: its link, to be played and copied. */
class Clip {
  node = document.createElement('li');
  #player = null;
  #url;
  #button;
  #played;

  constructor(asset, url, from, to, played) {
    this.#url = url;
    this.#played = played;
    const name = made('b', asset);
    const span = made('span', `${format.clock(from)} to ${format.clock(to)}, ${format.length(to - from)}`);
    const link = made('a', url);
    link.href = url;
    this.#button = made('button', 'Play');
    this.#button.addEventListener('click', () => (this.#player ? this.#stop() : this.#play()));
    const copies = made('button', 'Copy link');
    copies.addEventListener('click', () => copy(url, copies));
    for (const button of [this.#button, copies]) button.type = 'button';
    const head = made('p');
    head.append(name, span);
    const tools = made('div');
    tools.className = 'tools';
    tools.append(this.#button, copies);
    this.node.append(head, link, tools);
  }

  #play() {
    const video = document.createElement('video');
    video.controls = true;
    video.playsInline = true;
    video.setAttribute('aria-label', 'The clip');
    this.node.append(video);
    this.#player = new Player(video);
    this.#player.addEventListener('fault', ({ detail }) => {
      this.#stop();
      this.#button.textContent = `Cannot be played${detail.code ? ` (${detail.code})` : ''}`;
    });
    this.#button.textContent = 'Close';
    this.#played();
    this.#player.start(this.#url);
    video.focus();
  }

  #stop() {
    this.#player.stop();
    this.#player = null;
    this.node.querySelector('video').remove();
    this.#button.textContent = 'Play';
  }
}

/** Asks for a clip and gives what is answered, or throws what is wrong, in words. */
async function ask(endpoint, wish) {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(endpoint, { method: 'POST', headers, body: JSON.stringify(wish) }).catch(() => {
    throw new Error('The server cannot be reached.');
  });
  const said = await answer.text().catch(() => '');
  if (answer.status === 201) return JSON.parse(said);
  throw new Error(said.trim().slice(0, WORDS) || `The server answered ${answer.status}.`);
}

function made(name, words = '') {
  const node = document.createElement(name);
  node.textContent = words;
  return node;
}
