/**
 * The address that was typed into a form that was refused: kept for a minute in the browser, so that nobody
 * types it again. It does not stand in the page's own address, which history and logs keep (ASVS 14.2.1).
 */

import type { Settings } from "../settings";
import type { Fields } from "./forms";

const SECONDS = 60;
// The longest address (RFC 5321 4.5.3.1).
const MAX_CHARACTERS = 254;

export function cookieName(settings: Settings): string {
  return settings.development ? "auth-dev-form" : "__Host-auth-form";
}

/** The cookie to set after a form was refused; none if no address was typed. */
export function keeping(
  settings: Settings,
  { email = "" }: Fields,
): string | undefined {
  if (email === "" || email.length > MAX_CHARACTERS) return undefined;
  const value = Buffer.from(email).toString("base64url");
  const secure = settings.development ? "" : "; Secure";
  return `${cookieName(settings)}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${String(SECONDS)}${secure}`;
}

export function read(value: string): string {
  return Buffer.from(value, "base64url").toString();
}
