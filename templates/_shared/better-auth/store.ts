/** Sessions in the library's table: when one begins, and what ends it. */

import * as audit from "./audit[= js =]";
import type { Rows } from "./db[= js =]";
import type { Context } from "./endpoint[= js =]";
import type { Parts } from "./parts[= js =]";
import { Problem } from "./problem[= js =]";
import { random } from "./random[= js =]";
import { after, now, unix } from "./time[= js =]";
import { voidAll } from "./tokens[= js =]";
import type { Account, [% if module.oidc %]Method, [% endif %]SessionRow, UserRow } from "./user[= js =]";
import { visit } from "./visit[= js =]";

export interface Begin {
  userId: string;
  /** As it was when the password was looked at. */
  epoch: number;
  /** The session that this one takes the place of. */
  before: string | undefined;
[%- if module.oidc %]
  amr?: Method;
[%- endif %]
  authenticatedAt?: Date;
  expiresAt?: Date;
}

/** A session that began: its cookie is set once the transaction is through. */
export interface Begun {
  readonly token: string;
  readonly expiresAt: Date;
}

/**
 * Starts a session under a new identifier and ends the one the request came with (ASVS 7.2.4). None if
 * the account changed since the epoch was read.
 */
export async function begin(
  rows: Rows,
  parts: Parts,
  given: Begin,
): Promise<Begun> {
  const { userId, epoch, before } = given;
  if (before !== undefined) await end(rows, before);
  // Those that are over, of anybody.
  const over = [{ field: "expiresAt", operator: "lte" as const, value: now() }];
  await rows.deleteMany({ model: "session", where: over });
  const user = await rows.findOne<UserRow>({
    model: "user",
    where: [{ field: "id", value: userId }],
  });
  if (user?.epoch !== epoch || user.disabledAt)
    throw new Problem("invalid_credentials");
  const { ip, agent } = visit();
  const data: Omit<SessionRow, "id"> = {
    token: random(),
    userId,
    epoch,
[%- if module.oidc %]
    amr: given.amr ?? "pwd",
[%- endif %]
    createdAt: now(),
    updatedAt: now(),
    authenticatedAt: given.authenticatedAt ?? now(),
    lastSeenAt: now(),
    expiresAt: given.expiresAt ?? after(parts.settings.policy.sessionAbsolute),
    ipAddress: ip,
    userAgent: agent,
  };
  await rows.create({ model: "session", data });
  await audit.record(rows, parts, "session_created", { userId });
  await evict(rows, parts, userId);
  return { token: data.token, expiresAt: data.expiresAt };
}

/** Ends the oldest sessions beyond the limit. */
async function evict(rows: Rows, parts: Parts, userId: string): Promise<void> {
  const all = await rows.findMany<SessionRow>({
    model: "session",
    where: [{ field: "userId", value: userId }],
    sortBy: { field: "createdAt", direction: "desc" },
    limit: 1_000,
  });
  for (const { id } of all.slice(parts.settings.policy.sessions)) {
    await rows.deleteMany({
      model: "session",
      where: [{ field: "id", value: id }],
    });
    await audit.record(rows, parts, "session_evicted", { userId });
  }
}

/**
 * Ends the session that is to go on under another identifier. Nothing goes on of one that has ended
 * meanwhile, as by logging out.
 */
export async function handOver(rows: Rows, user: Account): Promise<void> {
  const ended = await rows.deleteMany({
    model: "session",
    where: [{ field: "id", value: user.session }],
  });
  if (ended === 0) throw new Problem("not_signed_in");
}

/** Whether there was a session to end. */
export async function end(rows: Rows, token: string): Promise<boolean> {
  const ended = await rows.deleteMany({
    model: "session",
    where: [{ field: "token", value: token }],
  });
  return ended > 0;
}

/** Ends every session and every link of a user. */
export async function endAll(rows: Rows, userId: string): Promise<void> {
  await rows.deleteMany({
    model: "session",
    where: [{ field: "userId", value: userId }],
  });
  await voidAll(rows, userId);
}

/** Sets the cookie of a session that began. */
export async function keep(
  ctx: Context,
  { token, expiresAt }: Begun,
): Promise<void> {
  const { name, attributes } = ctx.context.authCookies.sessionToken;
  const maxAge = unix(expiresAt) - unix(now());
  await ctx.setSignedCookie(name, token, ctx.context.secret, {
    ...attributes,
    maxAge,
  });
}

/** Makes the browser forget (ASVS 14.3.1). */
export function forget(ctx: Context): void {
  const { name, attributes } = ctx.context.authCookies.sessionToken;
  ctx.setCookie(name, "", { ...attributes, maxAge: 0 });
  ctx.setHeader("Clear-Site-Data", '"cache", "cookies", "storage"');
}
