/** Who is signed in. */

import * as audit from "./audit[= js =]";
import type { Context } from "./endpoint[= js =]";
import type { Parts } from "./parts[= js =]";
import { Problem } from "./problem[= js =]";
import { after, now, unix } from "./time[= js =]";
import { cookieKeys } from "./visit[= js =]";

[% if module.oidc -%]
/** How somebody signed in: with the password, or at a provider (RFC 8176 has no word for the second). */
export type Method = "pwd" | "fed";

[% endif -%]
/** The signed-in user. */
export interface User {
  /** Stable and opaque: what other tables should refer to. */
  readonly id: string;
  /** The confirmed address, in canonical form. */
  readonly email: string;
[%- if module.oidc %]
  /** How they signed in. */
  readonly amr: Method;
  /** When they last proved in this session who they are, in Unix seconds. */
[%- else %]
  /** When the password was last entered in this session, in Unix seconds. */
[%- endif %]
  readonly authTime: number;
}

/** What endpoints of the module know besides. */
export interface Account extends User {
  /** The session's name in lists; opens nothing. */
  readonly session: string;
  readonly epoch: number;
  readonly expiresAt: Date;
}

export interface UserRow {
  id: string;
  name: string;
  email: string;
  emailVerified: boolean;
  createdAt: Date;
  updatedAt: Date;
  /** Raised by every change that ends sessions. */
  epoch: number;
  /** Consecutive; at the cap the password stops working. */
  failedLogins: number;
  passwordChangedAt: Date;
  disabledAt: Date | null;
}

export interface SessionRow {
  id: string;
  token: string;
  userId: string;
  /** The account's when the session began: another one ends it. */
  epoch: number;
[%- if module.oidc %]
  amr: Method;
[%- endif %]
  createdAt: Date;
  updatedAt: Date;
  authenticatedAt: Date;
  lastSeenAt: Date;
  /** Absolute; no request moves it. */
  expiresAt: Date;
  ipAddress: string;
  userAgent: string;
}

/** The token of the session that the request came with, if its signature is the library's. */
export async function sessionToken(
  ctx: Context,
  parts: Parts,
): Promise<string | undefined> {
  const { name } = ctx.context.authCookies.sessionToken;
  for (const secret of cookieKeys(parts.settings)) {
    const token = await ctx.getSignedCookie(name, secret);
    if (token) return token;
  }
  return undefined;
}

/** The signed-in user if there is one. */
export async function maybe(
  ctx: Context,
  parts: Parts,
): Promise<Account | undefined> {
  const token = await sessionToken(ctx, parts);
  const found =
    token === undefined
      ? null
      : await ctx.context.internalAdapter.findSession(token);
  if (!found) return undefined;
  const session = found.session as unknown as SessionRow;
  const user = found.user as unknown as UserRow;
  const isOver =
    session.expiresAt <= now() ||
    session.lastSeenAt <= after(-parts.settings.policy.sessionIdle);
  const isRevoked =
    session.epoch !== user.epoch ||
    Boolean(user.disabledAt) ||
    !user.emailVerified;
  if (isOver || isRevoked) return undefined;
  if (unix(session.lastSeenAt) < unix(now())) await touch(ctx, session.id);
  return {
    id: user.id,
    email: user.email,
[%- if module.oidc %]
    amr: session.amr,
[%- endif %]
    authTime: unix(session.authenticatedAt),
    session: session.id,
    epoch: user.epoch,
    expiresAt: session.expiresAt,
  };
}

/** Marks a session as seen; one that ended meanwhile stays ended. */
async function touch(ctx: Context, id: string): Promise<void> {
  const where = [{ field: "id", value: id }];
  await ctx.context.adapter.updateMany({
    model: "session",
    where,
    update: { lastSeenAt: now() },
  });
}

/** The signed-in user; everybody else gets 401. */
export async function current(ctx: Context, parts: Parts): Promise<Account> {
  const user = await maybe(ctx, parts);
  if (!user) throw new Problem("not_signed_in");
  return user;
}

/**
 * A user who [% if module.oidc %]signed in[% else %]entered the password[% endif %] lately (`AUTH_REAUTH_SECONDS`): for what a session that was left open
 * must not be enough for. Everybody else gets 403 (ASVS 7.5.1).
 */
export async function fresh(ctx: Context, parts: Parts): Promise<Account> {
  const user = await current(ctx, parts);
  if (unix(now()) - user.authTime >= parts.settings.policy.reauth) {
    await audit.refusal(ctx, parts, "reauth_required", "stale", user.id);
    throw new Problem("reauth_required");
  }
  return user;
}
