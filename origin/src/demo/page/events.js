// The list of what happened, newest first.

const KEPT = 60;

export class Events {
  #list;

  /** @param {HTMLOListElement} list an empty list */
  constructor(list) {
    this.#list = list;
  }

  /** Adds a line. `at` is a time of day; `kind` is 'good', 'warn' or 'bad'. */
  add(at, kind, words) {
    const item = document.createElement('li');
    item.className = kind;
    const time = document.createElement('time');
    time.textContent = at;
    const said = document.createElement('span');
    said.textContent = words;
    item.append(time, said);
    this.#list.prepend(item);
    while (this.#list.children.length > KEPT) this.#list.lastChild.remove();
  }
}
