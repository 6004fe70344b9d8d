// The row of buttons for the levels: which there are, which is on the screen, which was chosen.

import * as format from './format.js';

export class Levels {
  #row;
  #player;
  #nameOf;

  /**
   * @param {HTMLElement} row where the buttons stand
   * @param {Player} player whose levels they are
   * @param {(level: object) => string} nameOf writes the name of a level
   */
  constructor(row, player, nameOf) {
    this.#row = row;
    this.#player = player;
    this.#nameOf = nameOf;
    row.addEventListener('click', ({ target }) => {
      const button = target.closest('button');
      if (!button) return;
      player.choose(Number(button.dataset.level));
      this.show();
    });
  }

  /** Shows what the player says now. Buttons stay the same elements, so a switch takes the focus from nobody. */
  show() {
    const { levels, level, chosen } = this.#player;
    const buttons = levels
      .map((one, index) => ({ index, bitrate: one.bitrate, name: this.#nameOf(one), note: format.bitsPerSecond(one.bitrate) }))
      .sort((a, b) => b.bitrate - a.bitrate);
    buttons.unshift({ index: -1, name: 'Auto', note: 'by bandwidth' });
    const kept = new Map([...this.#row.children].map((button) => [Number(button.dataset.level), button]));
    buttons.forEach(({ index, name, note }, place) => {
      const button = kept.get(index) ?? levelButton(index);
      kept.delete(index);
      button.disabled = false;
      button.firstChild.textContent = name;
      button.lastChild.textContent = note;
      button.setAttribute('aria-pressed', String(index === chosen));
      button.toggleAttribute('data-shown', index === level);
      button.title = index === level ? 'On the screen now' : '';
      if (this.#row.children[place] !== button) this.#row.insertBefore(button, this.#row.children[place] ?? null);
    });
    for (const gone of kept.values()) gone.remove();
  }
}

function levelButton(index) {
  const button = document.createElement('button');
  button.type = 'button';
  button.dataset.level = index;
  button.append(document.createElement('b'), document.createElement('small'));
  return button;
}
