// A small line chart of the last minute: one filled series, and optionally a dashed second one to compare it with.
// It is SVG that the style sheet colours, so it follows the theme; redrawing is two path strings.

const SVG = 'http://www.w3.org/2000/svg';
const SPAN_MS = 60_000;
const WIDTH = 600;
const HEIGHT = 120;

export class Chart {
  #samples = [];
  #paths;
  #topLabel;
  #svg;
  #options;

  /**
   * @param {HTMLElement} host an empty element whose size the chart takes
   * @param {object} options
   * @param {string} options.name what is drawn, for screen readers
   * @param {number} options.floor the least value that the top of the scale stands for
   * @param {(value: number) => string} options.format writes a value with its unit
   */
  constructor(host, options) {
    this.#options = options;
    this.#svg = element('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
    const lines = [0.25, 0.5, 0.75].map((part) => `M0 ${HEIGHT * part}H${WIDTH}`).join('');
    this.#paths = {
      grid: element('path', { class: 'grid', d: lines }),
      area: element('path', { class: 'area' }),
      line: element('path', { class: 'line' }),
      second: element('path', { class: 'second' }),
    };
    this.#svg.append(...Object.values(this.#paths));
    this.#topLabel = label('top');
    host.replaceChildren(this.#svg, this.#topLabel, label('then', '60 s ago'), label('now', 'now'));
    this.#describe();
  }

  /** Takes one sample at `now` (milliseconds on any steady clock) and draws. An unknown value leaves a gap. */
  push(now, value, second) {
    this.#samples.push({ now, value, second });
    // One sample older than the span stays, so that the line reaches the left edge.
    while (this.#samples.length > 1 && this.#samples[1].now <= now - SPAN_MS) this.#samples.shift();
    this.#draw(now);
  }

  /** Rewrites the text alternative; called at a reading pace, not at a drawing pace. */
  describe() {
    this.#describe();
  }

  #draw(now) {
    const known = this.#samples.flatMap((s) => [s.value, s.second]).filter(Number.isFinite);
    const top = roundUp(Math.max(this.#options.floor, ...known));
    const x = (sample) => (((sample.now - now + SPAN_MS) / SPAN_MS) * WIDTH).toFixed(1);
    const y = (value) => (HEIGHT - (value / top) * (HEIGHT - 3)).toFixed(1);
    const runs = (key) => split(this.#samples, (s) => Number.isFinite(s[key]));
    const stroke = (key) =>
      runs(key).map((run) => `M${run.map((s) => `${x(s)} ${y(s[key])}`).join('L')}`).join('');

    this.#paths.line.setAttribute('d', stroke('value'));
    this.#paths.second.setAttribute('d', stroke('second'));
    this.#paths.area.setAttribute('d', runs('value').map((run) =>
      `M${x(run[0])} ${HEIGHT}L${run.map((s) => `${x(s)} ${y(s.value)}`).join('L')}L${x(run.at(-1))} ${HEIGHT}Z`).join(''));
    this.#topLabel.textContent = this.#options.format(top);
  }

  #describe() {
    const last = this.#samples.at(-1)?.value;
    const said = Number.isFinite(last) ? `now ${this.#options.format(last)}` : 'nothing measured yet';
    this.#svg.setAttribute('aria-label', `${this.#options.name} over the last minute, ${said}`);
  }
}

function element(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function label(kind, text = '') {
  const node = document.createElement('span');
  node.className = `tick ${kind}`;
  node.setAttribute('aria-hidden', 'true');
  node.textContent = text;
  return node;
}

/** The next value of the 1, 2, 3, 4, 5, 6, 8, 10 row at or above `value`: a scale that moves seldom and reads easily. */
function roundUp(value) {
  const decade = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 3, 4, 5, 6, 8, 10].find((n) => n * decade >= value);
  return (step ?? 10) * decade;
}

/** Cuts a list into its stretches of neighbours that satisfy `keep`. */
function split(list, keep) {
  const runs = [];
  let open = null;
  for (const item of list) {
    if (!keep(item)) {
      open = null;
    } else if (open) {
      open.push(item);
    } else {
      open = [item];
      runs.push(open);
    }
  }
  return runs;
}
