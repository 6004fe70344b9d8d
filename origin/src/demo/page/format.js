// How the page writes quantities. Every function takes a plain number in the unit its name says and gives text; what is
// not known (undefined, NaN, an infinity) is written as a dash, so that a line never jumps between words and nothing.

const UNKNOWN = '–';

/** Bits per second as kbit/s or Mbit/s, with three figures at most. */
export function bitsPerSecond(bits) {
  if (!Number.isFinite(bits) || bits <= 0) return UNKNOWN;
  if (bits < 1e6) return `${Math.round(bits / 1e3)} kbit/s`;
  const mega = bits / 1e6;
  return `${mega < 100 ? mega.toFixed(mega < 10 ? 2 : 1) : Math.round(mega)} Mbit/s`;
}

/** Bytes as B, kB or MB, decimal as networks count. */
export function bytes(count) {
  if (!Number.isFinite(count)) return UNKNOWN;
  if (count < 1e3) return `${count} B`;
  if (count < 1e6) return `${(count / 1e3).toFixed(count < 1e4 ? 1 : 0)} kB`;
  return `${(count / 1e6).toFixed(2)} MB`;
}

/** Milliseconds of waiting. */
export function milliseconds(ms) {
  if (!Number.isFinite(ms)) return UNKNOWN;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1e4 ? `${Math.round(ms)} ms` : `${(ms / 1e3).toFixed(1)} s`;
}

/** A position on the timeline in seconds as h:mm:ss or m:ss. */
export function position(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return '–:––';
  const whole = Math.floor(seconds);
  const pad = (n) => String(n).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}

/** A stretch of time to come in seconds, in its two largest units. */
export function remaining(seconds) {
  if (!Number.isFinite(seconds)) return UNKNOWN;
  const whole = Math.max(0, Math.floor(seconds));
  const units = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
  const first = units.findIndex(([, size]) => whole >= size);
  if (first < 0) return '0 s';
  return units
    .slice(first, first + 2)
    .map(([name, size], i) => [Math.floor((i === 0 ? whole : whole % units[first][1]) / size), name])
    .filter(([n], i) => i === 0 || n > 0)
    .map(([n, name]) => `${n} ${name}`)
    .join(' ');
}

/** A wall-clock moment in Unix seconds: the time of day today, with its date on any other day. */
export function moment(unix) {
  const date = new Date(unix * 1000);
  const today = date.toDateString() === new Date().toDateString();
  return date.toLocaleString([], today ? { timeStyle: 'short' } : { dateStyle: 'medium', timeStyle: 'short' });
}
