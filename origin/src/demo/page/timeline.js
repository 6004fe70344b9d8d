// Between places on a player's timeline, in seconds, and the moments they were captured at, in Unix milliseconds. Each fragment
// of a media playlist has both (EXT-X-PROGRAM-DATE-TIME); within one, both run alike.

/** The first and the last moment that is listed; null where the playlist tells no dates. */
export function spanOf(details) {
  const [from, to] = [momentAt(details, details?.fragments[0]?.start), momentAt(details, details?.edge)];
  return from < to ? { from, to } : null;
}

/** When what stands at `place` was captured; NaN where that is not told. */
export function momentAt(details, place) {
  const fragments = details?.fragments ?? [];
  const fragment = fragments.findLast(({ start }) => start <= place) ?? fragments[0];
  return fragment?.programDateTime ? fragment.programDateTime + (place - fragment.start) * 1000 : NaN;
}

/** Where on the timeline a moment is; NaN where that is not told. */
export function placeOf(details, moment) {
  const fragments = details?.fragments ?? [];
  const fragment = fragments.findLast(({ programDateTime }) => programDateTime <= moment) ?? fragments[0];
  return fragment?.programDateTime ? fragment.start + (moment - fragment.programDateTime) / 1000 : NaN;
}
