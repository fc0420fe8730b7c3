/**
 * Whose account an identity opens. It is found by issuer and subject and by nothing else; an address,
 * which a provider can say anything about, only ever names a new account (ASVS 6.8.1).
 *
 * In a table of their own: the library's `account` knows providers by a name, of which a setting can
 * change the issuer, and has columns for tokens.
 */

import { canonical } from "../addresses[= js =]";
import * as audit from "../audit[= js =]";
import type { Rows } from "../db[= js =]";
import { type Context, get, remove } from "../endpoint[= js =]";
import type { Parts } from "../parts[= js =]";
import { Problem } from "../problem[= js =]";
import { raiseEpoch } from "../sessions[= js =]";
[%- if module.password %]
import { notify } from "../signIn[= js =]";
[%- endif %]
import * as store from "../store[= js =]";
import { now, unix } from "../time[= js =]";
import {
  type Account,
  current,
  fresh,
  sessionToken,
  type UserRow,
} from "../user[= js =]";
import type { Person } from "./exchange[= js =]";
import { Refused } from "./failure[= js =]";
import type { Provider } from "./settings[= js =]";
[%- if module.password %]

const LINKED =
  "Another way to sign in was added to your account. A new password does not take it away: disconnect it where your ways to sign in are listed.";
const UNLINKED = "A way to sign in was taken from your account.";
[%- endif %]

const MODEL = "authIdentity";

interface IdentityRow {
  userId: string;
  provider: string;
  issuer: string;
  /** Exactly as the provider says it. */
  subject: string;
  /** As it was when linked; to be shown, never to be looked up. */
  email: string | null;
  linkedAt: Date;
}

/** Opens the account of an identity. One that is not known yet gets an account of its own. */
export async function signIn(
  ctx: Context,
  parts: Parts,
  provider: Provider,
  person: Person,
): Promise<void> {
  const before = await sessionToken(ctx, parts);
  const begun = await ctx.context.adapter.transaction(async (rows) => {
    const { id: userId, epoch } = await ownerOrNew(
      rows,
      parts,
      provider,
      person,
    );
    await audit.record(rows, parts, "federated_login", { userId });
    return store.begin(rows, parts, {
      userId,
      epoch,
      before,
      amr: "fed",
      authenticatedAt: new Date(person.authTime * 1000),
    });
  });
  await store.keep(ctx, begun);
}

async function ownerOrNew(
  rows: Rows,
  parts: Parts,
  provider: Provider,
  person: Person,
): Promise<UserRow> {
  const owner = await ownerOf(rows, person);
  if (owner) return owner;
  const email = person.isVerified ? addressOf(person) : undefined;
  if (email === undefined) throw new Problem("email_unverified");
  const made = await takeAddress(rows, email);
  await insert(rows, made.id, provider, person);
  await audit.record(rows, parts, "register", { userId: made.id });
  return made;
}

async function ownerOf(
  rows: Rows,
  { issuer, subject }: Person,
): Promise<UserRow | undefined> {
  const identity = await rows.findOne<IdentityRow>({
    model: MODEL,
    where: [
      { field: "issuer", value: issuer },
      { field: "subject", value: subject },
    ],
  });
  if (!identity) return undefined;
  const owner = await rows.findOne<UserRow>({
    model: "user",
    where: [{ field: "id", value: identity.userId }],
  });
  if (!owner || owner.disabledAt || !owner.emailVerified)
    throw new Refused("account_disabled");
  return owner;
}

function addressOf({ email }: Person): string | undefined {
  try {
    return email === undefined ? undefined : canonical(email);
  } catch {
    return undefined;
  }
}

/**
 * Makes the account of an address. One that is there already, and confirmed, is not handed over: its owner
 * signs in and links the provider.
 */
async function takeAddress(rows: Rows, email: string): Promise<UserRow> {
  const account = await rows.findOne<UserRow>({
    model: "user",
    where: [{ field: "email", value: email }],
  });
  if (!account) return create(rows, email);
  if (account.emailVerified || account.disabledAt)
    throw new Problem("account_exists");
  return takeOver(rows, account.id);
}

/**
 * An account that nobody confirmed may have been made by a stranger, to lie in wait for the owner of the
 * address. That owner is here now: whatever else would open the account goes (ASVS 6.3.4).
 */
async function takeOver(rows: Rows, userId: string): Promise<UserRow> {
  const account = await rows.incrementOne<UserRow>({
    model: "user",
    where: [{ field: "id", value: userId }],
    increment: { epoch: 1 },
    set: { emailVerified: true, failedLogins: 0, updatedAt: now() },
  });
  if (!account) throw new Problem("unavailable");
  await store.endAll(rows, userId);
  const theirs = [{ field: "userId", value: userId }];
  await rows.deleteMany({ model: "account", where: theirs });
  await rows.deleteMany({ model: MODEL, where: theirs });
  return account;
}

function create(rows: Rows, email: string): Promise<UserRow> {
  const data = {
    name: "",
    email,
    emailVerified: true,
    epoch: 0,
    failedLogins: 0,
    passwordChangedAt: now(),
    disabledAt: null,
    createdAt: now(),
    updatedAt: now(),
  };
  return rows.create<Omit<UserRow, "id">, UserRow>({ model: "user", data });
}

/** The unique indexes decide as well: an identity has one account, an account one of each provider. */
async function insert(
  rows: Rows,
  userId: string,
  { preset }: Provider,
  person: Person,
): Promise<void> {
  const data: IdentityRow = {
    userId,
    provider: preset.id,
    issuer: person.issuer,
    subject: person.subject,
    email: addressOf(person) ?? null,
    linkedAt: now(),
  };
  await rows.create<IdentityRow>({ model: MODEL, data });
}

/** Adds an identity to the account of the user who asked. It is never moved from another account. */
export async function link(
  ctx: Context,
  parts: Parts,
  user: Account,
  provider: Provider,
  person: Person,
): Promise<void> {
  const isNew = await ctx.context.adapter.transaction(async (rows) => {
    const same = [
      { field: "id", value: user.id },
      { field: "epoch", value: user.epoch },
    ];
    // Nothing if the account changed meanwhile: then this session is over, too.
    if (!(await rows.findOne({ model: "user", where: same })))
      throw new Problem("not_signed_in");
    const owner = await ownerOf(rows, person);
    if (owner?.id === user.id) return false;
    const linked = await of(rows, user.id);
    const isTaken = linked.some((one) => one.provider === provider.preset.id);
    if (owner || isTaken) throw new Problem("identity_taken");
    await insert(rows, user.id, provider, person);
    await audit.record(rows, parts, "identity_linked", { userId: user.id });
    return true;
  });
[%- if module.password %]
  if (isNew) await notify(ctx, parts, user.email, LINKED);
[%- endif %]
}

/**
 * Renews the session of a user who signed in anew with an identity of theirs, `since` they were sent to
 * the provider, whose clock may be behind.
 */
export async function reauth(
  ctx: Context,
  parts: Parts,
  user: Account,
  person: Person,
  since: Date,
): Promise<void> {
  const begun = await ctx.context.adapter.transaction(async (rows) => {
    const owner = await ownerOf(rows, person);
    // With the session's epoch: one that was ended meanwhile is not renewed.
    if (owner?.id !== user.id || owner.epoch !== user.epoch)
      throw new Refused("identity");
    const at = Math.max(person.authTime, unix(since));
    await store.handOver(rows, user);
    return store.begin(rows, parts, {
      userId: user.id,
      epoch: user.epoch,
      before: undefined,
      amr: "fed",
      authenticatedAt: new Date(at * 1000),
    });
  });
  await store.keep(ctx, begun);
}

/** The identities of an account, as its owner sees them. */
export async function of(rows: Rows, userId: string) {
  const found = await rows.findMany<IdentityRow>({
    model: MODEL,
    where: [{ field: "userId", value: userId }],
    sortBy: { field: "linkedAt", direction: "asc" },
  });
  return found.map(({ email, linkedAt, provider }) => {
    return { provider, email, linkedAt: unix(linkedAt) };
  });
}

async function canSignIn(
  rows: Rows,
  parts: Parts,
  userId: string,
): Promise<boolean> {
[%- if module.password %]
  const password = await rows.findOne({
    model: "account",
    where: [{ field: "userId", value: userId }],
  });
  if (password) return true;
[%- endif %]
  // One at a provider that is not in the settings any more opens nothing.
  const { providers } = parts.settings.oidc;
  return (await of(rows, userId)).some((left) => providers.has(left.provider));
}

export function identityEndpoints(parts: Parts) {
  return {
    identities: get("/identities", async (ctx) => {
      const user = await current(ctx, parts);
      return { identities: await of(ctx.context.adapter, user.id) };
    }),

    // Takes an identity from the account and ends the other sessions: one of them may have been opened with
    // it. The last way to sign in stays.
    unlinkOidc: remove("/oidc/:provider/link", async (ctx) => {
      const user = await fresh(ctx, parts);
      const { provider = "" } = ctx.params as Record<string, string>;
      await ctx.context.adapter.transaction(async (rows) => {
        await raiseEpoch(rows, user);
        const mine = [
          { field: "userId", value: user.id },
          { field: "provider", value: provider },
        ];
        if ((await rows.deleteMany({ model: MODEL, where: mine })) === 0)
          throw new Problem("identity_unknown");
        if (!(await canSignIn(rows, parts, user.id)))
          throw new Problem("last_login_method");
        const others = [
          { field: "userId", value: user.id },
          { field: "id", operator: "ne" as const, value: user.session },
        ];
        await rows.deleteMany({ model: "session", where: others });
        await audit.record(rows, parts, "identity_unlinked", {
          userId: user.id,
        });
      });
[%- if module.password %]
      await notify(ctx, parts, user.email, UNLINKED);
[%- endif %]
      return { status: "unlinked" };
    }),
  };
}
