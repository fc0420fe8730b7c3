/**
 * Answers that a provider posts. Browsers send no cookie along with that, so each becomes a reading
 * request, which changes nothing of what is checked then.
 */

import type { Settings } from "./settings[= js =]";

const NAMES = ["code", "state", "iss", "error"];

/** Whether a request is one, and so may come from another site. */
export function isPosted(
  { providers }: Settings,
  method: string | undefined,
  path: string,
): boolean {
  const name = /^\/auth\/oidc\/([a-z0-9]{1,32})\/callback$/.exec(path)?.[1];
  const isKnown = providers.get(name ?? "")?.preset.formPost === true;
  return method === "POST" && isKnown;
}

/** The address that the browser goes on to. Other parameters are not looked at. */
export function asQuery(path: string, body: Buffer): string {
  const given = new URLSearchParams(body.toString("latin1"));
  const kept = [...given].filter(([name]) => NAMES.includes(name));
  return `${path}?${new URLSearchParams(kept).toString()}`;
}
