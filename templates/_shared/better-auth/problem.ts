/** Refusals: a status, a stable code, a sentence. None repeats what was sent. */

import { APIError } from "better-auth/api";

const PROBLEMS = {
[%- if module.oidc %]
  account_exists: [
    "CONFLICT",
    "There is an account with this address. Sign in to it, then link the provider.",
  ],
[%- endif %]
  body_too_large: ["PAYLOAD_TOO_LARGE", "The request is too large."],
[%- if module.tokens %]
  device_unknown: ["NOT_FOUND", "There is no such device."],
[%- endif %]
  email_invalid: ["UNPROCESSABLE_ENTITY", "This is not an e-mail address."],
  email_unchanged: [
    "UNPROCESSABLE_ENTITY",
    "This is the address of the account already.",
  ],
  email_unverified: ["FORBIDDEN", "Confirm the e-mail address first."],
  foreign_request: ["FORBIDDEN", "The request does not come from this site."],
[%- if module.oidc %]
  identity_taken: [
    "CONFLICT",
    "This sign-in belongs to another account, or another one of the provider is linked.",
  ],
  identity_unknown: ["NOT_FOUND", "This is not a sign-in of the account."],
[%- endif %]
  invalid_credentials: [
    "UNAUTHORIZED",
    "The address or the password is wrong.",
  ],
  invalid_fields: [
    "UNPROCESSABLE_ENTITY",
    "A field is missing or has the wrong type.",
  ],
[%- if module.tokens %]
  invalid_grant: [
    "BAD_REQUEST",
    "This refresh token is not valid, was used, or has expired.",
  ],
  invalid_scope: [
    "BAD_REQUEST",
    "There is no such scope, or it was not granted.",
  ],
[%- endif %]
  json_required: ["UNSUPPORTED_MEDIA_TYPE", "The request must be JSON."],
[%- if module.oidc %]
  last_login_method: [
    "CONFLICT",
    "Without this sign-in, nothing would open the account.",
  ],
[%- endif %]
  malformed_request: ["BAD_REQUEST", "The request cannot be read."],
  method_not_allowed: [
    "METHOD_NOT_ALLOWED",
    "This method is not allowed here.",
  ],
  not_found: ["NOT_FOUND", "There is nothing here."],
  not_signed_in: ["UNAUTHORIZED", "Sign in first."],
[%- if module.oidc %]
  oidc_refused: ["BAD_REQUEST", "The sign-in at the provider did not work."],
[%- endif %]
  password_common: [
    "UNPROCESSABLE_ENTITY",
    "This password is on a list that attackers try first.",
  ],
  password_contextual: [
    "UNPROCESSABLE_ENTITY",
    "This password is made of words that belong to the account.",
  ],
  password_required: [
    "UNAUTHORIZED",
    "Enter the password of the account as well.",
  ],
  password_too_long: ["UNPROCESSABLE_ENTITY", "This password is too long."],
  password_too_short: ["UNPROCESSABLE_ENTITY", "This password is too short."],
[%- if module.oidc %]
  provider_unavailable: [
    "BAD_GATEWAY",
    "The provider does not answer right now; try again later.",
  ],
  provider_unknown: ["NOT_FOUND", "This provider is not known here."],
  reauth_required: ["FORBIDDEN", "Sign in again first."],
  reauth_unsupported: [
    "CONFLICT",
    "This provider does not ask again. Sign out and sign in.",
  ],
[%- else %]
  reauth_required: ["FORBIDDEN", "Enter the password again first."],
[%- endif %]
  session_unknown: ["NOT_FOUND", "There is no such session."],
  token_invalid: ["BAD_REQUEST", "This link is not valid, or not any more."],
  too_many_requests: [
    "TOO_MANY_REQUESTS",
    "Too many requests; try again later.",
  ],
  unavailable: [
    "SERVICE_UNAVAILABLE",
    "This does not work right now; try again later.",
  ],
} as const;

export type Code = keyof typeof PROBLEMS;

export class Problem extends APIError {
  readonly code: Code;

  constructor(code: Code, headers: Record<string, string> = {}) {
    const [status, message] = PROBLEMS[code];
    super(status, { code, message }, headers);
    this.code = code;
  }
}

export function throttled(seconds: number): Problem {
  return new Problem("too_many_requests", {
    "Retry-After": String(Math.max(1, seconds)),
  });
}
