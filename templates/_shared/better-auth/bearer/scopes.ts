/** What tokens may do: names, granted by a setting and asked for by routes. */

import { Problem } from "../problem[= js =]";

/** RFC 6749 3.3. */
export const NAMES =
  /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/;

/** Whether a scope is among those of a token. */
export function includes(all: string, name: string): boolean {
  return all.split(" ").includes(name);
}

/**
 * `asked`, if it is among all. An unknown name is refused and not left out: who asks for it would get
 * less than they think.
 */
export function narrowed(all: string, asked: string | undefined): string {
  if (asked === undefined) return all;
  const wanted = asked.split(" ");
  if (!wanted.every((name) => includes(all, name)))
    throw new Problem("invalid_scope");
  return all
    .split(" ")
    .filter((name) => wanted.includes(name))
    .join(" ");
}
