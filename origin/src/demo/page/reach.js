// Where the media between the camera and the screen is: being made, on its way, or in the pool. A bar on a scale of seconds,
// the camera at its left end, and the same as figures.

const PLACES = [
  ['making', 'Being made'],
  ['coming', 'Listed, not here yet'],
  ['pooled', 'Here, not shown yet'],
];
/** The scales, in seconds, and the distance of their marks. */
const SCALES = [[2, 0.5], [4, 1], [8, 2], [20, 5], [60, 15], [600, 150]];
/** Each new part moves the borders by its length; what is shown is the mean of so many looks. */
const LOOKS = 8;

export class Reach {
  #bars = {};
  #figures = {};
  #scale;
  #shown = 0;
  #looks = [];

  /** @param {HTMLElement} host an empty element */
  constructor(host) {
    const bar = node('div', 'bar');
    bar.setAttribute('aria-hidden', 'true');
    this.#scale = node('div', 'scale');
    this.#scale.setAttribute('aria-hidden', 'true');
    const list = node('dl');
    for (const [place, words] of PLACES) {
      this.#bars[place] = node('i', place);
      this.#figures[place] = node('dd', '', '–');
      const row = node('div');
      row.append(node('dt', place, words), this.#figures[place]);
      list.append(row);
    }
    bar.append(...Object.values(this.#bars));
    host.replaceChildren(bar, this.#scale, list);
    this.show(NaN, NaN, NaN);
  }

  /** All in seconds: from the camera to the screen, and what is listed and what is buffered ahead of the screen. */
  show(glass, listed, buffer) {
    const known = [glass, listed, buffer].every(Number.isFinite);
    if (!known) this.#looks = [];
    // A clock that is slightly off must not turn a length around.
    else this.#looks.push({ making: Math.max(0, glass - listed), coming: Math.max(0, listed - buffer), pooled: Math.min(buffer, glass) });
    if (this.#looks.length > LOOKS) this.#looks.shift();
    const lengths = PLACES.map(([place]) => this.#looks.reduce((sum, look) => sum + look[place], 0) / Math.max(1, this.#looks.length));
    const whole = this.#rescale(lengths.reduce((sum, length) => sum + length, 0));
    let start = 0;
    PLACES.forEach(([place], i) => {
      this.#bars[place].style.translate = `${(start / whole) * 100}% 0`;
      this.#bars[place].style.scale = `${lengths[i] / whole} 1`;
      const words = known ? `${lengths[i].toFixed(2)} s` : '–';
      if (this.#figures[place].textContent !== words) this.#figures[place].textContent = words;
      start += lengths[i];
    });
  }

  #rescale(seconds) {
    const [whole, step] = SCALES.find(([most]) => seconds <= most) ?? SCALES.at(-1);
    if (whole !== this.#shown) {
      this.#shown = whole;
      const marks = Array.from({ length: whole / step + 1 }, (_, i) => {
        const mark = node('span', '', i === 0 ? 'camera' : `${i * step} s`);
        // The outermost stand inside of the ends, where the style sheet puts them.
        if (i > 0 && i * step < whole) mark.style.left = `${((i * step) / whole) * 100}%`;
        return mark;
      });
      this.#scale.replaceChildren(...marks);
    }
    return whole;
  }
}

function node(name, kind = '', words = '') {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  made.textContent = words;
  return made;
}
