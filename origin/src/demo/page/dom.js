// The few words that every module says to the document.

export const $ = (id) => document.getElementById(id);

/** Writes only what changed: a screen reader and the layout are left alone otherwise. */
export function text(id, words) {
  const node = $(id);
  if (node.textContent !== words) node.textContent = words;
}
