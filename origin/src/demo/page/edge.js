// Keeps a live show at its edge, where hls.js leaves that to somebody else:
//   - the first picture is that of the edge as it is then, not as it was when the playlist was read;
//   - what has fallen far back, because the network or the machine was too slow for a while, jumps to the edge;
//   - a stall that does not end although the edge moves on is ended.
// Who has paused or stepped back is left alone until being near the edge again.

/** How far behind where it should be a show may begin, in seconds; hls.js catches up with that within some seconds. */
const LATE = 0.5;
/** How far behind where it should be it may fall, in seconds. Farther back hls.js takes it for the viewer's wish. */
const LOST = 2;
/** How long it may stall although there is more of it. Longer than hls.js takes to step over a hole by itself. */
const STUCK_MS = 1_500;
/** What must be listed behind a place for the show to be entered there, in seconds. */
const MORE = 0.5;

export class Edge {
  /** Whether the picture is on its way to where it was sent: to the edge, or away from it. */
  underway = false;
  /** Whether the viewer has chosen another place. */
  elsewhere = false;

  #player;
  #video;
  #rejoined;
  #position = 0;
  /** Whether the viewer has left the edge. */
  #away = false;
  #stuck = 0;

  /**
   * @param {Player} player whose show it is
   * @param {HTMLVideoElement} video where it is shown
   * @param {() => void} rejoined is told of each jump to the edge but the first
   */
  constructor(player, video, rejoined) {
    this.#player = player;
    this.#video = video;
    this.#rejoined = rejoined;
    video.addEventListener('loadeddata', () => this.#closeIn());
    video.addEventListener('timeupdate', () => this.#keepUp());
    video.addEventListener('pause', () => (this.#away = true));
    // Neither this nor hls.js ever seeks back.
    video.addEventListener('seeking', () => (this.#away ||= video.currentTime < this.#position));
    video.addEventListener('seeked', () => (this.underway = false));
  }

  /** Whether the screen is farther behind than is caught up with by playing faster. */
  get isFar() {
    return this.#late > LOST;
  }

  /** Back to the edge, wherever the viewer was. */
  go() {
    this.#return();
    this.#closeIn();
  }

  /** To another place, where the viewer wants to be. */
  leave(place) {
    this.#away = true;
    this.elsewhere = true;
    this.underway = true;
    this.#video.currentTime = place;
  }

  /** Takes note of the player's state, which has just changed. */
  watch() {
    clearTimeout(this.#stuck);
    if (this.#player.state === 'stalled') this.#stuck = setTimeout(() => this.#unstick(), STUCK_MS);
  }

  /** Forgets the show. */
  reset() {
    clearTimeout(this.#stuck);
    this.underway = false;
    this.#return();
    this.#position = 0;
  }

  /** Seconds behind where the show should be; NaN where none runs. hls.js's own latency is as old as its last look, and it
   *  knows an edge of what has ended too. */
  get #late() {
    const { hls } = this.#player;
    return hls?.latestLevelDetails?.live ? hls.liveSyncPosition - this.#video.currentTime : NaN;
  }

  #return() {
    this.#away = false;
    this.elsewhere = false;
  }

  #closeIn() {
    if (!(this.#late > LATE)) return false;
    this.underway = true;
    this.#video.currentTime = this.#player.hls.liveSyncPosition;
    return true;
  }

  #keepUp() {
    if (this.#video.seeking || this.#player.state !== 'playing') return;
    this.#position = this.#video.currentTime;
    if (this.#late < LATE) this.#return();
    if (this.isFar && !this.#away && this.#closeIn()) this.#rejoined();
  }

  /** hls.js 1.7 waits for ever when sound that was loaded is followed by a part that is a gap: the sound stays half
   *  parsed. Loading anew from a place behind the hole helps. */
  #unstick() {
    const { hls, bufferSeconds } = this.#player;
    const entrance = this.#entrance();
    // Who is elsewhere waits for the network, and wants to stay there.
    if (!this.elsewhere && entrance - this.#video.currentTime > bufferSeconds) {
      hls.stopLoad();
      hls.startLoad(entrance);
      this.#video.currentTime = entrance;
      this.#rejoined();
    }
    this.watch();
  }

  /** Where the show can be entered with little delay, behind everything that is missing; NaN where nothing follows yet. */
  #entrance() {
    const { hls } = this.#player;
    const details = hls?.latestLevelDetails;
    const parts = details?.partList ?? [];
    const hole = parts.findLastIndex(({ gap }) => gap);
    const start = hole < 0 ? -Infinity : parts.slice(hole + 1).find(({ independent }) => independent)?.start;
    const entrance = Math.max(start ?? NaN, hls?.liveSyncPosition ?? NaN);
    return details?.edge - entrance > MORE ? entrance : NaN;
  }
}
