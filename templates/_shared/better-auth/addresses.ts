/**
 * One canonical form of an e-mail address, used wherever an address is stored or looked up.
 *
 * Lower-case ASCII, trimmed, one unquoted local part and a dotted domain (IDNs as A-labels).
 * Everything else is refused rather than folded, so two spellings are either equal or different
 * accounts (ASVS 1.1.1, CVE-2019-19844).
 */

import { Problem } from "./problem[= js =]";

const ATOM = "[a-z0-9!#$%&'*+/=?^_`{|}~-]+";
const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const ADDRESS = new RegExp(`^${ATOM}(?:\\.${ATOM})*@${LABEL}(?:\\.${LABEL})+$`);
const ASCII = /^[\x20-\x7e]*$/;

export function canonical(text: string): string {
  const trimmed = text.replace(/^ +| +$/g, "");
  const address = ASCII.test(trimmed) ? trimmed.toLowerCase() : trimmed;
  const local = address.slice(0, address.indexOf("@"));
  if (address.length > 254 || local.length > 64 || !ADDRESS.test(address)) {
    throw new Problem("email_invalid");
  }
  return address;
}
