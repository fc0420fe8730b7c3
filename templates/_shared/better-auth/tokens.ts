/**
 * Single-use tokens that are sent by mail.
 *
 * A token is 32 bytes of the operating system's randomness. The database keeps its SHA-256 with
 * purpose, owner, address and expiry: a copy of the database opens nothing (ASVS 6.5.2, 11.5.1). The
 * library's own are signed texts that work until they expire, however often they were used.
 */

import type { Rows } from "./db[= js =]";
import { digest, random } from "./random[= js =]";
import { after, now } from "./time[= js =]";
import type { UserRow } from "./user[= js =]";

export type Purpose = "verify" | "reset" | "email_change";

const MODEL = "authToken";

export interface TokenRow {
  tokenHash: string;
  purpose: Purpose;
  userId: string;
  /** The account's address when it was made. */
  email: string;
  /** Mailed there: the address that is to replace it. */
  newEmail: string | null;
  /** SHA-256 of the registering browser's cookie. */
  browserHash: string | null;
  createdAt: Date;
  expiresAt: Date;
  usedAt: Date | null;
}

export interface Issued {
  userId: string;
  email: string;
  seconds: number;
  newEmail?: string;
  browserHash?: string | null;
}

/** Makes a token, in the place of an older one for the same purpose. */
export async function issue(
  rows: Rows,
  purpose: Purpose,
  given: Issued,
): Promise<string> {
  const { userId, email, seconds, newEmail = null, browserHash = null } = given;
  const token = random();
  const older = [userIs(userId), { field: "purpose", value: purpose }];
  await rows.deleteMany({ model: MODEL, where: older });
  await rows.deleteMany({
    model: MODEL,
    where: [{ field: "expiresAt", operator: "lte", value: now() }],
  });
  const made = {
    tokenHash: digest(token),
    purpose,
    userId,
    email,
    newEmail,
    browserHash,
  };
  const times = { createdAt: now(), expiresAt: after(seconds), usedAt: null };
  await rows.create<TokenRow>({ model: MODEL, data: { ...made, ...times } });
  return token;
}

/** Looks at a token without using it: the row if it could be used now. */
export async function peek(
  rows: Rows,
  purpose: Purpose,
  token: string,
): Promise<TokenRow | undefined> {
  const found = await rows.findOne<TokenRow>({
    model: MODEL,
    where: usable(purpose, token),
  });
  if (!found) return undefined;
  const owner = await rows.findOne<UserRow>({
    model: "user",
    where: [{ field: "id", value: found.userId }],
  });
  const isTheirs = owner?.email === found.email && !owner.disabledAt;
  return isTheirs ? found : undefined;
}

/** Uses a token up. Of parallel calls, one gets the row: this is called in a transaction that writes. */
export async function consume(
  rows: Rows,
  purpose: Purpose,
  token: string,
): Promise<TokenRow | undefined> {
  const found = await peek(rows, purpose, token);
  const update = { usedAt: now() };
  const used = await rows.updateMany({
    model: MODEL,
    where: usable(purpose, token),
    update,
  });
  return found && used === 1 ? found : undefined;
}

function usable(purpose: Purpose, token: string) {
  return [
    { field: "tokenHash", value: digest(token) },
    { field: "purpose", value: purpose },
    { field: "usedAt", value: null },
    { field: "expiresAt", operator: "gt" as const, value: now() },
  ];
}

/** The browser that registered, if a verification is outstanding. */
export async function browserOf(
  rows: Rows,
  userId: string,
): Promise<string | null> {
  const where = [userIs(userId), { field: "purpose", value: "verify" }];
  return (
    (await rows.findOne<TokenRow>({ model: MODEL, where }))?.browserHash ?? null
  );
}

export async function voidAll(rows: Rows, userId: string): Promise<void> {
  await rows.deleteMany({ model: MODEL, where: [userIs(userId)] });
}

function userIs(userId: string) {
  return { field: "userId", value: userId };
}
