/**
 * Families of tokens, and the refresh token that is next in each.
 *
 * A refresh token is 32 random bytes; the database keeps its SHA-256 (ASVS 11.5.1). A family lives while
 * its account is as it was when it began (the epoch), the session that it was made from is there, and
 * nobody revoked it. Each use asks that anew.
 */

import type { Rows } from "../db[= js =]";
import { digest, random } from "../random[= js =]";
import type { Policy } from "../settings[= js =]";
import { after, now } from "../time[= js =]";
import type { [% if module.oidc %]Method, [% endif %]SessionRow, UserRow } from "../user[= js =]";

const FAMILY = "authFamily";
const TOKEN = "authRefreshToken";

/** Permission to begin a family, given when somebody proved who they are. */
export interface Grant {
  readonly userId: string;
  /** The account's at that moment. If it has moved on, the family never lives. */
  readonly epoch: number;
  /** The session that it ends with. */
  readonly session: string | null;
  /** How they proved it: [% if module.oidc %]with the password, or at a provider[% else %]with the password[% endif %]. */
  readonly amr: [% if module.oidc %]Method[% else %]"pwd"[% endif %];
  readonly authenticatedAt: Date;
  readonly expiresAt: Date;
}

/** A program that is signed in for a user. */
export interface Family extends Grant {
  /** Its name in lists and in access tokens; opens nothing. */
  readonly id: string;
  readonly device: string;
  readonly scope: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date;
  readonly revokedAt: Date | null;
}

export interface RefreshRow {
  id: string;
  tokenHash: string;
  familyId: string;
  createdAt: Date;
  /** Kept while the family is, to notice a second use. */
  usedAt: Date | null;
  expiresAt: Date;
}

/** What became of a refresh token that was shown. */
export type Shown =
  /** It was the next one, and is used up now. */
  | "next"
  /** It was used before: two have it, and one of them should not. */
  | "again"
  /** It is none, or it or its family has ended. */
  | "over";

/** Whether a family counts now. */
export async function lives(rows: Rows, family: Family): Promise<boolean> {
  const user = await rows.findOne<UserRow>({
    model: "user",
    where: [{ field: "id", value: family.userId }],
  });
  const isSame =
    user?.epoch === family.epoch && user.emailVerified && !user.disabledAt;
  if (!isSame || family.revokedAt || family.expiresAt <= now()) return false;
  if (family.session === null) return true;
  const session = await rows.findOne<SessionRow>({
    model: "session",
    where: [{ field: "id", value: family.session }],
  });
  return session !== null && session.expiresAt > now();
}

/** Begins a family. The oldest beyond the limit end (ASVS 7.1.2). */
export async function begin(
  rows: Rows,
  grant: Grant,
  device: string,
  scope: string,
  limit: number,
): Promise<Family> {
  // Those that are over, of anybody.
  const over = [{ field: "expiresAt", operator: "lte" as const, value: now() }];
  await rows.deleteMany({ model: FAMILY, where: over });
  const family = await rows.create<Omit<Family, "id">, Family>({
    model: FAMILY,
    data: {
      ...grant,
      device,
      scope,
      createdAt: now(),
      lastUsedAt: now(),
      revokedAt: null,
    },
  });
  const others = await rows.findMany<Family>({
    model: FAMILY,
    where: [
      { field: "userId", value: grant.userId },
      { field: "revokedAt", value: null },
      { field: "id", operator: "ne", value: family.id },
    ],
    sortBy: { field: "lastUsedAt", direction: "desc" },
    limit: 1_000,
  });
  for (const { id } of others.slice(limit - 1)) await revoke(rows, id);
  return family;
}

/**
 * Makes the next refresh token of a family. It ends without use, where the family came from a session no
 * later than that would, and never after the family.
 */
export async function nextToken(
  rows: Rows,
  family: Family,
  policy: Policy,
): Promise<string> {
  const token = random();
  const idle =
    family.session === null
      ? policy.refreshIdle
      : Math.min(policy.refreshIdle, policy.sessionIdle);
  const ends = Math.min(after(idle).getTime(), family.expiresAt.getTime());
  await rows.create<Omit<RefreshRow, "id">, RefreshRow>({
    model: TOKEN,
    data: {
      tokenHash: digest(token),
      familyId: family.id,
      createdAt: now(),
      usedAt: null,
      expiresAt: new Date(ends),
    },
  });
  return token;
}

/** The family of a refresh token, living or not. */
export async function ofRefreshToken(
  rows: Rows,
  token: string,
): Promise<Family | undefined> {
  const found = await rows.findOne<RefreshRow>({
    model: TOKEN,
    where: [{ field: "tokenHash", value: digest(token) }],
  });
  return found ? find(rows, found.familyId) : undefined;
}

export async function find(
  rows: Rows,
  id: string,
): Promise<Family | undefined> {
  const where = [{ field: "id", value: id }];
  return (await rows.findOne<Family>({ model: FAMILY, where })) ?? undefined;
}

/**
 * Uses up a refresh token of a family that lives, and notes the use. Of parallel calls, one gets `next`:
 * this is called in a transaction that writes (ASVS 15.4.2).
 */
export async function useUp(
  rows: Rows,
  family: Family,
  token: string,
): Promise<Shown> {
  if (!(await lives(rows, family))) return "over";
  const shown = [{ field: "tokenHash", value: digest(token) }];
  const next = [
    ...shown,
    { field: "usedAt", value: null },
    { field: "expiresAt", operator: "gt" as const, value: now() },
  ];
  const update = { usedAt: now() };
  if ((await rows.updateMany({ model: TOKEN, where: next, update })) === 1) {
    await rows.updateMany({
      model: FAMILY,
      where: [{ field: "id", value: family.id }],
      update: { lastUsedAt: now() },
    });
    return "next";
  }
  const found = await rows.findOne<RefreshRow>({ model: TOKEN, where: shown });
  return found?.usedAt ? "again" : "over";
}

/** Ends a family with all its tokens, if it had not ended before. */
export async function revoke(rows: Rows, id: string): Promise<boolean> {
  const alive = [
    { field: "id", value: id },
    { field: "revokedAt", value: null },
  ];
  const update = { revokedAt: now() };
  return (await rows.updateMany({ model: FAMILY, where: alive, update })) > 0;
}

/** Those of a user that can still get tokens (ASVS 7.5.2). */
export async function of(rows: Rows, userId: string): Promise<Family[]> {
  const found = await rows.findMany<Family>({
    model: FAMILY,
    where: [
      { field: "userId", value: userId },
      { field: "revokedAt", value: null },
    ],
    sortBy: { field: "lastUsedAt", direction: "desc" },
    limit: 1_000,
  });
  const living: Family[] = [];
  for (const family of found) {
    const next = await rows.findOne<RefreshRow>({
      model: TOKEN,
      where: [
        { field: "familyId", value: family.id },
        { field: "usedAt", value: null },
        { field: "expiresAt", operator: "gt", value: now() },
      ],
    });
    if (next && (await lives(rows, family))) living.push(family);
  }
  return living;
}

/** Lets programs outlive a rise of the epoch by one that was not meant for them. */
export async function carryOver(
  rows: Rows,
  userId: string,
  epoch: number,
): Promise<void> {
  await rows.updateMany({
    model: FAMILY,
    where: [
      { field: "userId", value: userId },
      { field: "epoch", value: epoch },
    ],
    update: { epoch: epoch + 1 },
  });
}
