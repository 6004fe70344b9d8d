// Light or dark: the system's theme until the viewer chooses one; the choice is remembered where the browser allows it.

import { $ } from './dom.js';

const KEY = 'forebay-theme';
const dark = matchMedia('(prefers-color-scheme: dark)');
const root = document.documentElement;

/** Follows the system, and the button `theme`. */
export function followTheme() {
  let choice = null;
  try {
    choice = localStorage.getItem(KEY);
  } catch {
    // Storage is refused in some private windows; the choice then lasts as long as the page.
  }
  const apply = () => {
    const night = choice ? choice === 'dark' : dark.matches;
    root.dataset.theme = night ? 'dark' : 'light';
    $('theme').setAttribute('aria-label', `Use the ${night ? 'light' : 'dark'} theme`);
  };
  $('theme').addEventListener('click', () => {
    choice = root.dataset.theme === 'dark' ? 'light' : 'dark';
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // As above.
    }
    apply();
  });
  dark.addEventListener('change', apply);
  apply();
}
