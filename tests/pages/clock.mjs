// watchClock(video): reads the clock that is burnt into the picture (publisher.rs, `blocks`): [{ at, time, shown, seconds }].
// `shown` is what it says, in seconds, and `time` where the video stands. Where it is the wall clock of this machine,
// `seconds` is how old the picture is that a viewer sees now.
//
// The picture's upper edge has two rows of 16 blocks: the milliseconds modulo 2^16, highest bit first, white
// for 1, and below it their complement. Where a block and its complement do not differ clearly, nothing is noted.

const BITS = 16;
const ROWS = 2 / 9; // of the picture's height
const CLEARLY = 80; // of 255

export function watchClock(video) {
  const readings = [];
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [BITS * 10, 20];
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  const read = () => {
    const { videoWidth: width, videoHeight: height } = video;
    if (video.readyState < 2 || video.paused || width === 0) return null;
    pen.drawImage(video, 0, 0, width, height * ROWS, 0, 0, canvas.width, canvas.height);
    const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
    const light = (bit, row) => data[4 * ((5 + 10 * row) * canvas.width + 5 + 10 * bit)];
    let shown = 0;
    for (let bit = 0; bit < BITS; bit += 1) {
      const difference = light(bit, 0) - light(bit, 1);
      if (Math.abs(difference) < CLEARLY) return null;
      shown = shown * 2 + (difference > 0 ? 1 : 0);
    }
    return shown;
  };
  const span = 2 ** BITS;
  setInterval(() => {
    const [seen, time] = [Date.now(), video.currentTime];
    const shown = read();
    if (shown === null) return;
    const age = (((seen - shown) % span) + span) % span;
    readings.push({ at: performance.now() / 1000, time, shown: shown / 1000, seconds: age / 1000 });
  }, 250);
  return readings;
}
