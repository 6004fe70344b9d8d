// The card with the signed link: how long it is good, copying it, and what to play it with elsewhere.

import { $, text } from './dom.js';
import * as format from './format.js';

export class SignedLink {
  /** The whole URL; empty until it is known. */
  url = '';

  #expires;
  #tool = 'ffplay';

  constructor() {
    $('copy-url').addEventListener('click', () => copy(this.url, $('copy-url')));
    $('copy-command').addEventListener('click', () => copy(this.#command(), $('copy-command')));
    document.querySelector('.tools').addEventListener('click', ({ target }) => {
      if (!target.dataset.tool) return;
      this.#tool = target.dataset.tool;
      this.#showCommand();
    });
  }

  /** Shows a link; `expires` in Unix seconds, where it is told. */
  show(url, expires) {
    this.url = url;
    this.#expires = expires;
    $('url').textContent = url;
    for (const id of ['copy-url', 'copy-command']) $(id).disabled = false;
    this.#showCommand();
    this.tick();
  }

  /** Rewrites how long it is good. */
  tick() {
    if (!this.url || !Number.isFinite(this.#expires)) return text('validity', this.url ? 'no expiry told' : '–');
    const left = this.#expires - Date.now() / 1000;
    $('validity').dataset.left = left <= 0 ? 'none' : left < 60 ? 'little' : 'enough';
    return text('validity', left > 0
      ? `valid for ${format.remaining(left)}, until ${format.moment(this.#expires)}`
      : `expired at ${format.moment(this.#expires)}`);
  }

  #command() {
    return { ffplay: `ffplay '${this.url}'`, vlc: `vlc '${this.url}'`, curl: `curl '${this.url}'` }[this.#tool];
  }

  #showCommand() {
    for (const button of document.querySelectorAll('[data-tool]')) {
      button.setAttribute('aria-pressed', String(button.dataset.tool === this.#tool));
    }
    if (this.url) text('command', this.#command());
  }
}

/** Puts words on the clipboard, and says at the button whether that went well. */
export async function copy(words, button) {
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
