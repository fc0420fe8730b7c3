/**
 * The headers of the pages. Next has no place for them that a project may not have filled already, such as
 * `proxy.ts`; so they are put on the response before Next sees the request.
 */

import type { IncomingMessage, ServerResponse } from "node:http";

import { random } from "../random";

// ASVS 3.4.1 (HSTS), 3.4.4 (nosniff), 3.4.5 (Referrer-Policy), 3.4.6 (framing), 3.4.8 (COOP), 14.3.2
// (no-store).
const HEADERS = {
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "X-Frame-Options": "DENY",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
};

/** Fences a request for a page. Next reads the nonce of its own scripts from the policy that a request has. */
export function fence(
  request: IncomingMessage,
  response: Pick<ServerResponse, "setHeader">,
): void {
  if (!isForPage(request)) return;
  const policy = policyWith(random(16));
  request.headers["content-security-policy"] = policy;
  for (const [name, value] of Object.entries(HEADERS))
    response.setHeader(name, value);
  response.setHeader("Content-Security-Policy", policy);
}

function isForPage(request: IncomingMessage): boolean {
  const [path = ""] = (request.url ?? "").split("?", 1);
  return path === "/account" || path.startsWith("/account/");
}

/**
 * Scripts run with the nonce, and those that they load (ASVS 3.4.3). `next dev` evaluates code and writes
 * styles into pages.
 */
function policyWith(nonce: string): string {
  const isBuilt = process.env.NODE_ENV === "production";
  return [
    "default-src 'self'",
    "img-src 'self' blob: data:",
    `script-src 'self' 'nonce-${nonce}' 'strict-dynamic'${isBuilt ? "" : " 'unsafe-eval'"}`,
    `style-src 'self' ${isBuilt ? `'nonce-${nonce}'` : "'unsafe-inline'"}`,
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; ");
}
