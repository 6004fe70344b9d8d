// A small line chart of the last minute: one filled series, and optionally a dashed second one to compare it with.
// It is SVG that the style sheet colours, so it follows the theme; redrawing is three path strings.

const SVG = 'http://www.w3.org/2000/svg';
const SPAN_MS = 60_000;
const WIDTH = 600;
const HEIGHT = 120;

export class Chart {
  #samples = [];
  #top = 0;
  #paths;
  #marks;
  #svg;
  #options;

  /**
   * @param {HTMLElement} host an empty element whose size the chart takes
   * @param {object} options
   * @param {string} options.name what is drawn, for screen readers
   * @param {number} options.bottom the value at the lower edge: 0 for a linear scale, above 0 for a logarithmic one
   * @param {number} options.floor the least value that the upper edge stands for
   * @param {(value: number) => string} options.format writes a value with its unit
   */
  constructor(host, options) {
    this.#options = options;
    this.#svg = element('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
    this.#paths = Object.fromEntries(['grid', 'area', 'line', 'second'].map((kind) => [kind, element('path', { class: kind })]));
    this.#svg.append(...Object.values(this.#paths));
    this.#marks = document.createElement('div');
    this.#marks.setAttribute('aria-hidden', 'true');
    host.replaceChildren(this.#svg, this.#marks);
    this.#rescale(options.floor);
    this.describe();
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
    const last = this.#samples.at(-1)?.value;
    const said = Number.isFinite(last) ? `now ${this.#options.format(last)}` : 'nothing measured yet';
    this.#svg.setAttribute('aria-label', `${this.#options.name} over the last minute, ${said}`);
  }

  #draw(now) {
    const known = this.#samples.flatMap((s) => [s.value, s.second]).filter(Number.isFinite);
    this.#rescale(Math.max(this.#options.floor, ...known));
    const x = (sample) => (((sample.now - now + SPAN_MS) / SPAN_MS) * WIDTH).toFixed(1);
    const stroke = (key) => (run) => run.map((s) => `${x(s)} ${this.#height(s[key]).toFixed(1)}`).join('L');
    const line = runs(this.#samples, 'value');
    const fill = (run) => `M${x(run[0])} ${HEIGHT}L${stroke('value')(run)}L${x(run.at(-1))} ${HEIGHT}Z`;
    const lines = (list, key) => list.map((run) => `M${stroke(key)(run)}`).join('');
    this.#paths.area.setAttribute('d', line.map(fill).join(''));
    this.#paths.line.setAttribute('d', lines(line, 'value'));
    this.#paths.second.setAttribute('d', lines(runs(this.#samples, 'second'), 'second'));
  }

  /** The distance of a value from the upper edge, in units of the drawing. */
  #height(value) {
    const { bottom } = this.#options;
    const part = bottom > 0
      ? Math.log(Math.max(value, bottom) / bottom) / Math.log(this.#top / bottom)
      : value / this.#top;
    // Three units stay free above the highest value, so that its line is not cut.
    return HEIGHT - part * (HEIGHT - 3);
  }

  /** Chooses the upper edge for the highest value, and redraws the grid where that changes it. */
  #rescale(highest) {
    const { bottom, format } = this.#options;
    const top = bottom > 0 ? 10 ** Math.ceil(Math.log10(highest) - 1e-9) : roundUp(highest);
    if (top === this.#top) return;
    this.#top = top;
    const values = bottom > 0 ? decades(bottom, top) : [top / 2];
    this.#paths.grid.setAttribute('d', values.map((value) => `M0 ${this.#height(value)}H${WIDTH}`).join(''));
    // The lowest quarter belongs to the words on the time axis.
    const named = values.filter((value) => this.#height(value) < HEIGHT * 0.74);
    this.#marks.replaceChildren(label('span', 'last 60 s'), ...named.map((value) => {
      const mark = label('mark', format(value));
      mark.style.top = `${(this.#height(value) / HEIGHT) * 100}%`;
      return mark;
    }));
  }
}

function element(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function label(kind, text) {
  const node = document.createElement('span');
  node.className = `tick ${kind}`;
  node.textContent = text;
  return node;
}

/** The powers of ten strictly between two powers of ten. */
function decades(bottom, top) {
  const count = Math.max(0, Math.round(Math.log10(top / bottom)) - 1);
  return Array.from({ length: count }, (_, i) => bottom * 10 ** (i + 1));
}

/** The next value of the 1, 2, 4, 6, 8, 10 row at or above `value`: a scale that moves seldom and halves well. */
function roundUp(value) {
  const decade = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 4, 6, 8, 10].find((n) => n * decade >= value);
  return (step ?? 10) * decade;
}

/** The stretches of neighbouring samples in which `key` is known. */
function runs(samples, key) {
  const found = [];
  let open = null;
  for (const sample of samples) {
    if (!Number.isFinite(sample[key])) {
      open = null;
    } else if (open) {
      open.push(sample);
    } else {
      open = [sample];
      found.push(open);
    }
  }
  return found;
}
