/** What is known about the request at hand: who asks from where, and with which cookies. */

import { AsyncLocalStorage } from "node:async_hooks";
import type { IncomingMessage } from "node:http";
import { type BlockList, isIP } from "node:net";

import { Problem } from "./problem[= js =]";
import { random } from "./random[= js =]";
import { key, type Settings } from "./settings[= js =]";

// Longer user agents are cut in the list of sessions and the audit trail.
const MAX_AGENT = 256;

/** One request. */
export interface Visit {
  readonly ip: string;
  readonly agent: string;
  readonly requestId: string;
  /** The values of the module's cookies as they came. */
  readonly session: string | undefined;
  readonly browser: string | undefined;
[%- if module.oidc %]
  /** Marks the browser that began a sign-in at a provider. */
  readonly transaction: string | undefined;
[%- endif %]
[%- if module.tokens %]
  /** The `Authorization` headers, each as it came. */
  readonly authorization: readonly string[];
[%- endif %]
}

export interface CookieNames {
  readonly session: string;
  readonly browser: string;
[%- if module.oidc %]
  readonly transaction: string;
[%- endif %]
}

/** `__Host-` binds a cookie to this origin; without TLS, browsers would not take it (ASVS 3.3). */
export function cookieNames(settings: Settings): CookieNames {
  const prefix = settings.development ? "auth-dev-" : "__Host-auth-";
[%- if module.oidc %]
  return {
    session: `${prefix}session`,
    browser: `${prefix}browser`,
    transaction: `${prefix}oidc`,
  };
[%- else %]
  return { session: `${prefix}session`, browser: `${prefix}browser` };
[%- endif %]
}

/** What cookies are signed with, and what they were signed with before. */
export function cookieKeys(settings: Settings): [string, ...string[]] {
  const made = (secret: Buffer) => key(secret, "cookies").toString("base64url");
  return [made(settings.secret), ...settings.oldSecrets.map(made)];
}

const visits = new AsyncLocalStorage<Visit>();

/** Whether a request carries a cookie of the module, as a browser's may without its user's will. */
export function carriesCookie(visit: Visit): boolean {
[%- if module.oidc %]
  const cookies = [visit.session, visit.browser, visit.transaction];
  return cookies.some((cookie) => cookie !== undefined);
[%- else %]
  return visit.session !== undefined || visit.browser !== undefined;
[%- endif %]
}

/** Runs something about a request, so that [`visit`] tells of it. */
export function during<T>(current: Visit, run: () => T): T {
  return visits.run(current, run);
}

/** The request at hand. */
export function visit(): Visit {
  const current = visits.getStore();
  if (!current) throw new Problem("unavailable");
  return current;
}

export function visitOf(request: IncomingMessage, settings: Settings): Visit {
  const forwarded = request.headersDistinct["x-forwarded-for"] ?? [];
  const names = cookieNames(settings);
  return {
    ip: clientIp(
      request.socket.remoteAddress ?? "",
      forwarded,
      settings.trustedProxies,
    ),
    // Printable ASCII only, so it cannot forge a log line (ASVS 16.4.1).
    agent: (request.headers["user-agent"] ?? "")
      .replace(/[^\x20-\x7e]/g, "")
      .slice(0, MAX_AGENT),
    requestId: random(12),
    session: cookie(request, names.session),
    browser: cookie(request, names.browser),
[%- if module.oidc %]
    transaction: cookie(request, names.transaction),
[%- endif %]
[%- if module.tokens %]
    authorization: request.headersDistinct["authorization"] ?? [],
[%- endif %]
  };
}

/** The cookie of exactly that name; two of them are as good as none. */
function cookie(request: IncomingMessage, name: string): string | undefined {
  const parts = (request.headersDistinct["cookie"] ?? []).flatMap((line) =>
    line.split(";"),
  );
  const values = parts
    .map((part) => part.replace(/^ /, ""))
    .filter((part) => part.startsWith(`${name}=`))
    .map((part) => part.slice(name.length + 1));
  return values.length === 1 && values[0] !== "" ? values[0] : undefined;
}

/**
 * The socket's peer, unless that is a configured proxy: then the nearest address that is not one of
 * ours, from the right, where our proxies append (ASVS 15.3.4).
 */
export function clientIp(
  peer: string,
  forwarded: string[],
  proxies: BlockList,
): string {
  const address = parseIp(peer);
  // A peer without an address is a socket with a path.
  if (address === undefined) return "127.0.0.1";
  if (!isOurs(address, proxies)) return address;
  for (const text of forwarded.flatMap((line) => line.split(",")).reverse()) {
    const claimed = parseIp(text);
    if (claimed === undefined) break;
    if (!isOurs(claimed, proxies)) return claimed;
  }
  return address;
}

function isOurs(address: string, proxies: BlockList): boolean {
  return proxies.check(address, isIP(address) === 4 ? "ipv4" : "ipv6");
}

/** An address in its canonical form, perhaps given with a port, brackets or a zone. */
export function parseIp(given: string): string | undefined {
  let text = given.trim();
  if (text.startsWith("[")) text = text.slice(1).split("]", 1).join("");
  else if (text.split(":").length === 2) text = text.split(":", 1).join("");
  text = text.split("%", 1).join("");
  if (isIP(text) === 4) return text;
  if (isIP(text) !== 6) return undefined;
  const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (!mapped) return canonical;
  const words = [mapped[1], mapped[2]].map((word) => parseInt(word ?? "", 16));
  return words.flatMap((word) => [word >> 8, word & 255]).join(".");
}
