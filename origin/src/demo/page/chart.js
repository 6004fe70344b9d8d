// A chart that moves: some series over the last stretch of time, drawn as areas, lines, steps or bars on one scale.
// It is SVG that the style sheet colours, so it follows the theme; redrawing is a few path strings.

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 600;
const HEIGHT = 120;

/** How a series is drawn: the kinds of its paths, each with the drawing of one unbroken stretch of samples. */
const KINDS = {
  area: {
    area: (points) => `M${points[0].x} ${HEIGHT}L${line(points)}L${points.at(-1).x} ${HEIGHT}Z`,
    line: (points) => `M${line(points)}`,
  },
  line: { line: (points) => `M${line(points)}` },
  dashed: { dashed: (points) => `M${line(points)}` },
  // A value holds until the next sample.
  steps: { line: (points) => `M${points[0].x} ${points[0].y}${points.slice(1).map(({ x, y }) => `H${x}V${y}`).join('')}` },
  // A value stands for the time since the sample before it.
  bars: { bars: (points) => points.slice(1).map(({ x, y }, i) => `M${points[i].x} ${HEIGHT}V${y}H${x}V${HEIGHT}Z`).join('') },
};

export class Chart {
  #samples = [];
  #marks = [];
  #top = 0;
  #grid;
  #paths;
  #ticks;
  #lines;
  #svg;
  #options;

  /**
   * @param {HTMLElement} host an empty element whose size the chart takes
   * @param {object} options
   * @param {string} options.name what is drawn, for screen readers
   * @param {number} options.span how much time is drawn, in milliseconds
   * @param {number} options.bottom the value at the lower edge: 0 for a linear scale, above 0 for a logarithmic one
   * @param {number} options.floor the least value that the upper edge stands for
   * @param {(value: number) => string} options.format writes a value with its unit
   * @param {Object<string, string>} options.series the name of each series, and its kind (above); the first is the main one
   * @param {boolean} [options.timeless] whether to leave the time axis without words
   * @param {boolean} [options.bare] whether to leave the scale of values without words
   */
  constructor(host, options) {
    this.#options = options;
    this.#svg = element('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
    this.#grid = element('path', { class: 'grid' });
    this.#lines = element('g', { class: 'marks' });
    this.#paths = Object.entries(options.series).flatMap(([name, kind]) => Object.entries(KINDS[kind]).map(([role, draw]) => (
      { name, draw, path: element('path', { class: `${role} ${name}` }) }
    )));
    this.#svg.append(this.#grid, ...this.#paths.map(({ path }) => path), this.#lines);
    this.#ticks = document.createElement('div');
    this.#ticks.setAttribute('aria-hidden', 'true');
    host.replaceChildren(this.#svg, this.#ticks);
    this.#rescale(options.floor);
    this.describe();
  }

  /** Takes one sample at `now` (milliseconds on any steady clock) and draws. An unknown value leaves a gap. */
  push(now, values) {
    const { span } = this.#options;
    this.#samples.push({ now, ...values });
    // One sample older than the span stays, so that the line reaches the left edge.
    while (this.#samples.length > 1 && this.#samples[1].now <= now - span) this.#samples.shift();
    this.#marks = this.#marks.filter((mark) => mark.now > now - span);
    this.#draw(now);
  }

  /** Draws a line through the chart at this time; `kind` is for the style sheet. */
  mark(now, kind) {
    this.#marks.push({ now, kind });
  }

  /** Rewrites the text alternative; called at a reading pace, not at a drawing pace. */
  describe() {
    const { name, span, series, format } = this.#options;
    const last = this.#samples.at(-1)?.[Object.keys(series)[0]];
    const said = Number.isFinite(last) ? `now ${format(last)}` : 'nothing measured yet';
    this.#svg.setAttribute('aria-label', `${name} over the last ${Math.round(span / 1000)} seconds, ${said}`);
  }

  #draw(now) {
    const { span, floor, series } = this.#options;
    const names = Object.keys(series);
    const known = this.#samples.flatMap((sample) => names.map((name) => sample[name])).filter(Number.isFinite);
    this.#rescale(Math.max(floor, ...known));
    const x = (sample) => (((sample.now - now + span) / span) * WIDTH).toFixed(1);
    for (const { name, draw, path } of this.#paths) {
      const points = (run) => run.map((sample) => ({ x: x(sample), y: this.#height(sample[name]).toFixed(1) }));
      path.setAttribute('d', runs(this.#samples, name).map((run) => draw(points(run))).join(''));
    }
    this.#lines.replaceChildren(...this.#marks.map((mark) => element('path', { class: mark.kind, d: `M${x(mark)} 0V${HEIGHT}` })));
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
    const { bottom, format, span, timeless, bare } = this.#options;
    const top = bottom > 0 ? 10 ** Math.ceil(Math.log10(highest) - 1e-9) : roundUp(highest);
    if (top === this.#top) return;
    this.#top = top;
    const values = bottom > 0 ? decades(bottom, top) : [top / 2];
    this.#grid.setAttribute('d', values.map((value) => `M0 ${this.#height(value)}H${WIDTH}`).join(''));
    // The lowest quarter belongs to the words on the time axis.
    const named = bare ? [] : values.filter((value) => this.#height(value) < HEIGHT * 0.74);
    const time = timeless ? [] : [label('span', `last ${Math.round(span / 1000)} s`)];
    this.#ticks.replaceChildren(...time, ...named.map((value) => {
      const mark = label('mark', format(value));
      mark.style.top = `${(this.#height(value) / HEIGHT) * 100}%`;
      return mark;
    }));
  }
}

function line(points) {
  return points.map(({ x, y }) => `${x} ${y}`).join('L');
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

/** The stretches of neighbouring samples in which `name` is known. */
function runs(samples, name) {
  const found = [];
  let open = null;
  for (const sample of samples) {
    if (!Number.isFinite(sample[name])) {
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
