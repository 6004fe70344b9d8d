// How the page writes quantities. Every function takes a plain number in the unit its name says and gives text; what is
// not known (undefined, NaN, an infinity) is written as a dash, so that a line never jumps between words and nothing.

const UNKNOWN = '–';

/** Bits per second as kbit/s or Mbit/s, with three figures. */
export function bitsPerSecond(bits) {
  if (!Number.isFinite(bits) || bits <= 0) return UNKNOWN;
  if (bits < 1e6) return `${Math.round(bits / 1e3)} kbit/s`;
  const mega = bits / 1e6;
  // Number() drops the zeros of round figures, as on a scale.
  return `${Number(mega.toPrecision(mega < 1000 ? 3 : 4))} Mbit/s`;
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
  return ms < 1e3 ? `${Math.round(ms)} ms` : `${Number((ms / 1e3).toPrecision(3))} s`;
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

/** A wall-clock moment in Unix seconds: the time of day where that is enough, with the day where it is not near. */
export function moment(unix) {
  const date = new Date(unix * 1000);
  const near = Math.abs(date.getTime() - Date.now()) < 20 * 3_600_000;
  const time = { hour: '2-digit', minute: '2-digit' };
  return date.toLocaleString([], near ? time : { ...time, month: 'short', day: 'numeric' });
}

/** A moment in Unix milliseconds as the time of day in UTC, of which `length` characters are shown. */
export function clock(ms, length = 8) {
  return Number.isFinite(ms) ? new Date(ms).toISOString().slice(11, 11 + length) : '–:––:––';
}

/** How long something is, in milliseconds: in tenths of a second below a minute. */
export function length(ms) {
  return ms < 59_950 ? `${(ms / 1000).toFixed(1)} s` : position(ms / 1000);
}
