/**
 * Cross-site requests are told apart by what browsers say about them (ASVS 3.5.1, Fetch Metadata,
 * RFC 6454): no token, no state, nothing to add to a form.
 */

import type { IncomingMessage } from "node:http";

const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

/**
 * Why an unsafe request does not count as one of this site; nothing if it does. A client that is not
 * a browser sends none of the headers; it is accepted as long as it carries no cookie.
 */
export function refusal(
  request: IncomingMessage,
  origin: string,
  carriesCookie: boolean,
): string | undefined {
  if (SAFE.has(request.method ?? "")) return undefined;
  const claims = ["origin", "sec-fetch-site", "referer"].map(
    (name) => request.headersDistinct[name] ?? [],
  );
  if (claims.some((claim) => claim.length > 1)) return "repeated_header";
  const [claimed, site, referer] = claims.map((claim) => claim[0]);
  if (claimed !== undefined && claimed !== origin) return "foreign_origin";
  if (site !== undefined && site !== "same-origin") return "cross_site";
  if (referer !== undefined && !isWithin(referer, origin))
    return "foreign_referer";
  if (carriesCookie && claimed === undefined && site === undefined)
    return "origin_unknown";
  return undefined;
}

function isWithin(referer: string, origin: string): boolean {
  const after = referer.slice(origin.length, origin.length + 1);
  return referer.startsWith(origin) && ["", "/", "?", "#"].includes(after);
}
