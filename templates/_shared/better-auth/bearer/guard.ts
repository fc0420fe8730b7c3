/** Whose access token a request came with, and what it may do. */

import * as audit from "../audit[= js =]";
import type { Context } from "../endpoint[= js =]";
import type { Parts } from "../parts[= js =]";
import { now, unix } from "../time[= js =]";
import { type Account, current, fresh } from "../user[= js =]";
import { visit } from "../visit[= js =]";
import { TokenRefusal } from "./access[= js =]";
import * as challenge from "./challenge[= js =]";
import { find, lives } from "./families[= js =]";
import { includes } from "./scopes[= js =]";

/** The user of an access token. */
export interface ApiUser {
  /** Stable and opaque: the same as that of a signed-in user. */
  readonly id: string;
  /** What the user calls the program that has the token. */
  readonly device: string;
  /** The scopes of the token, with spaces between. */
  readonly scope: string;
  /** When the user last signed in to get this token or its forerunners, in Unix seconds. */
  readonly authTime: number;
}

/** What endpoints of the module know besides. */
export interface Program extends ApiUser {
  readonly family: string;
}

/**
 * The user of an access token. Everybody else gets 401. Sessions and their cookies mean nothing to it, so
 * it needs no check of where a request comes from.
 */
export async function apiUser(ctx: Context, parts: Parts): Promise<Program> {
  const token = bearer(visit().authorization);
  const claims = await parts.access.read(token).catch((error: unknown) => {
    if (!(error instanceof TokenRefusal)) throw error;
    const message = "an access token was refused";
    audit.log("INFO", { message, error: error.message });
    throw challenge.invalid();
  });
  // Read anew, so that what ends a family is felt at once (ASVS 7.4.1).
  const rows = ctx.context.adapter;
  const family = await find(rows, claims.sid);
  const isSame = family?.userId === claims.sub && family.epoch === claims.ver;
  if (!isSame || !(await lives(rows, family))) throw challenge.invalid();
  return {
    id: claims.sub,
    device: family.device,
    scope: claims.scope,
    authTime: claims.auth_time,
    family: family.id,
  };
}

/** One whose token has a scope; others get 403 (RFC 6750 3.1). */
export async function scopedApiUser(
  ctx: Context,
  parts: Parts,
  scope: string,
): Promise<Program> {
  const user = await apiUser(ctx, parts);
  if (!includes(user.scope, scope)) {
    await audit.refusal(
      ctx,
      parts,
      "token_refused",
      "insufficient_scope",
      user.id,
    );
    throw challenge.withoutScope(scope);
  }
  return user;
}

/** One who signed in lately (`AUTH_REAUTH_SECONDS`); others get 403 (RFC 9470): sign in for a new token. */
export async function freshApiUser(
  ctx: Context,
  parts: Parts,
): Promise<Program> {
  const user = await apiUser(ctx, parts);
  const { reauth } = parts.settings.policy;
  if (unix(now()) - user.authTime >= reauth) {
    await audit.refusal(ctx, parts, "reauth_required", "stale", user.id);
    throw challenge.stale(reauth);
  }
  return user;
}

/**
 * The token of the one `Authorization` header. No other place is looked at (RFC 6750 5.3, RFC 9700
 * 4.3.2).
 */
function bearer(values: readonly string[]): string {
  const [value, ...others] = values;
  if (value === undefined) throw challenge.missing();
  const token = /^Bearer ([\w.-]+)$/i.exec(value)?.[1];
  if (others.length > 0 || token === undefined) throw challenge.invalid();
  return token;
}

/** Who asks: a browser with a session, or a program with a token. */
export type Caller =
  | { readonly user: Account; readonly program?: never }
  | { readonly user?: never; readonly program: Program };

/** An `Authorization` header is the answer, right or wrong; a session that comes with it does not count. */
export async function caller(ctx: Context, parts: Parts): Promise<Caller> {
  return visit().authorization.length > 0
    ? { program: await apiUser(ctx, parts) }
    : { user: await current(ctx, parts) };
}

/** The same, of a session one in which the user signed in lately. A token needs no more than it has. */
export async function freshCaller(ctx: Context, parts: Parts): Promise<Caller> {
  return visit().authorization.length > 0
    ? { program: await apiUser(ctx, parts) }
    : { user: await fresh(ctx, parts) };
}
