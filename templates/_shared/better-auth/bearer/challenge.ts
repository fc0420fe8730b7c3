/** Refusals to who came with an access token, or should have (RFC 6750 3, RFC 9470 3). */

import { APIError } from "better-auth/api";

const INVALID =
  "The access token is missing, not valid, was revoked, or has expired.";
const OTHER_SCOPE = "The access token is not for this.";
const STALE = "Sign in again for a new access token to continue.";

function challenged(
  status: "UNAUTHORIZED" | "FORBIDDEN",
  code: string,
  message: string,
  challenge: string,
): APIError {
  return new APIError(
    status,
    { code, message },
    { "WWW-Authenticate": challenge },
  );
}

export function missing(): APIError {
  return challenged("UNAUTHORIZED", "token_invalid", INVALID, "Bearer");
}

export function invalid(): APIError {
  const challenge = 'Bearer error="invalid_token"';
  return challenged("UNAUTHORIZED", "token_invalid", INVALID, challenge);
}

export function withoutScope(name: string): APIError {
  const challenge = `Bearer error="insufficient_scope", scope="${name}"`;
  return challenged("FORBIDDEN", "insufficient_scope", OTHER_SCOPE, challenge);
}

export function stale(seconds: number): APIError {
  const code = "insufficient_user_authentication";
  const challenge = `Bearer error="${code}", max_age="${String(seconds)}"`;
  return challenged("FORBIDDEN", code, STALE, challenge);
}
