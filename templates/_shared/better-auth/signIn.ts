/** Signing in and out. */

import * as z from "zod";

import { canonical } from "./addresses[= js =]";
import * as audit from "./audit[= js =]";
import type { Rows } from "./db[= js =]";
import { type Context, get, post } from "./endpoint[= js =]";
import { perSource } from "./limits[= js =]";
import { notice } from "./mail[= js =]";
import type { Parts } from "./parts[= js =]";
import { isOutdated, normalized } from "./passwords[= js =]";
import { Problem } from "./problem[= js =]";
import * as store from "./store[= js =]";
import * as throttle from "./throttle[= js =]";
import { now, unix } from "./time[= js =]";
[% if module.oidc -%]
import {
  current,
  maybe,
  type Method,
  sessionToken,
  type UserRow,
} from "./user[= js =]";
[% else -%]
import { current, maybe, sessionToken, type UserRow } from "./user[= js =]";
[% endif -%]
import { visit } from "./visit[= js =]";

// A sign-in after so many failures is worth a mail to the owner.
const SUSPICIOUS_FAILURES = 5;

interface Credential {
  id: string;
  password: string | null;
}

/** An account with its password's hash. */
export interface Proven extends UserRow {
  readonly credential: string;
}

[% if module.oidc -%]
function profile(
  id: string,
  email: string,
  authTime: number,
  amr: Method = "pwd",
) {
  return { id, email, emailVerified: true, amr: [amr], authTime };
}
[% else -%]
function profile(id: string, email: string, authTime: number) {
  return { id, email, emailVerified: true, amr: ["pwd"], authTime };
}
[% endif %]
async function find(rows: Rows, email: string) {
  const user = await rows.findOne<UserRow>({
    model: "user",
    where: [{ field: "email", value: email }],
  });
  const credential =
    user &&
    (await rows.findOne<Credential>({
      model: "account",
      where: ownedBy(user.id),
    }));
  return { user, credential };
}

/** The account row in which the library keeps the hash of a user's password. */
export function ownedBy(userId: string) {
  return [
    { field: "userId", value: userId },
    { field: "providerId", value: "credential" },
  ];
}

/**
 * Checks a password and nothing else: the one place where a guess is evaluated, with every throttle
 * around it. All failures look and cost the same.
 */
export async function prove(
  ctx: Context,
  parts: Parts,
  email: string,
  password: string,
): Promise<UserRow> {
  await admit(ctx, parts, email);
  const { user, credential } = await find(ctx.context.adapter, email);
  const matches = await parts.hasher.verify(password, credential?.password);
  const isOpen =
    user &&
    !user.disabledAt &&
    user.failedLogins < parts.settings.policy.loginCap;
  if (!isOpen || !credential?.password || !matches) {
    await wrong(ctx, parts, user?.id, email);
    throw new Problem("invalid_credentials");
  }
  await right(ctx, parts, user, credential.password, password);
  return user;
}

/** Counts a guess, by its source and by the account it is about, before it is looked at. */
async function admit(ctx: Context, parts: Parts, email: string): Promise<void> {
  const { keys, settings } = parts;
  const source = keys.ofSource("guess", visit().ip);
  const { bySource, byAccount } = await ctx.context.adapter.transaction(
    async (rows) => {
      const bySource = await throttle.hit(
        rows,
        source,
        settings.policy.loginSourceFailures,
        60,
      );
      const byAccount = bySource.isAllowed
        ? await throttle.guess(rows, keys.of("account", email), settings.policy)
        : new throttle.Verdict();
      if (!byAccount.isAllowed) await throttle.refund(rows, source);
      return { bySource, byAccount };
    },
  );
  if (bySource.isFirst) await audit.refusal(ctx, parts, "throttled", "login");
  bySource.check();
  if (!byAccount.isAllowed)
    await audit.refusal(ctx, parts, "throttled", "account");
  byAccount.check();
}

async function right(
  ctx: Context,
  parts: Parts,
  user: UserRow,
  stored: string,
  password: string,
): Promise<void> {
  const renewed = isOutdated(stored)
    ? await parts.hasher.hash(password)
    : stored;
  await ctx.context.adapter.transaction(async (rows) => {
    // A password that was replaced meanwhile gives no new guesses at the one in its place.
    const same = [...ownedBy(user.id), { field: "password", value: stored }];
    const proven = await rows.updateMany({
      model: "account",
      where: same,
      update: { password: renewed },
    });
    if (proven > 0) {
      await rows.updateMany({
        model: "user",
        where: [{ field: "id", value: user.id }],
        update: { failedLogins: 0 },
      });
    }
    await throttle.refund(rows, parts.keys.ofSource("guess", visit().ip));
    await throttle.clear(rows, parts.keys.of("account", user.email));
    await audit.record(rows, parts, "password_proven", { userId: user.id });
  });
  if (user.failedLogins >= SUSPICIOUS_FAILURES) {
    const what =
      "Somebody signed in to your account after several wrong passwords.";
    await notify(ctx, parts, user.email, what);
  }
}

async function wrong(
  ctx: Context,
  parts: Parts,
  userId: string | undefined,
  email: string,
): Promise<void> {
  const reason = "invalid_credentials";
  const failures = await ctx.context.adapter.transaction(async (rows) => {
    // The same work for an account that is not there.
    const where = [{ field: "id", value: userId ?? "" }];
    const raised = await rows.incrementOne<UserRow>({
      model: "user",
      where,
      increment: { failedLogins: 1 },
    });
    await audit.record(rows, parts, "login", { userId, email, reason });
    return raised?.failedLogins;
  });
  // NIST SP 800-63B-4 3.2.2: then only a new password, set by way of the mailbox, helps.
  if (failures === parts.settings.policy.loginCap) {
    const what = "After too many wrong passwords, your password was disabled.";
    await notify(ctx, parts, email, what);
  }
}

/** Mails a notice, at most one an hour of a kind. What it tells of has happened and stands. */
export async function notify(
  ctx: Context,
  parts: Parts,
  email: string,
  what: string,
): Promise<void> {
  const counter = parts.keys.of(what, email);
  const verdict = await ctx.context.adapter.transaction((rows) =>
    throttle.hit(rows, counter, 1, 3_600),
  );
  if (verdict.isAllowed) parts.mail.send(notice(email, what, visit().ip));
}

/** The account of an address and a password that may sign in. */
[% if module.tokens %]export [% endif %]async function admitted(
  ctx: Context,
  parts: Parts,
  given: { readonly email: string; readonly password: string },
): Promise<UserRow> {
  await perSource(ctx, parts, "login", parts.settings.policy.loginSource);
  const email = canonical(given.email);
  const user = await prove(ctx, parts, email, normalized(given.password));
  if (!user.emailVerified) {
    const reason = "email_unverified";
    await audit.refusal(ctx, parts, "login_refused", reason, user.id);
    throw new Problem(reason);
  }
  return user;
}

export function signInEndpoints(parts: Parts) {
  const { policy } = parts.settings;
  return {
    login: post(
      "/login",
      { email: z.string(), password: z.string() },
      async (ctx, fields) => {
        const user = await admitted(ctx, parts, fields);
        const before = await sessionToken(ctx, parts);
        const given = { userId: user.id, epoch: user.epoch, before };
        await store.keep(
          ctx,
          await ctx.context.adapter.transaction((rows) =>
            store.begin(rows, parts, given),
          ),
        );
        return profile(user.id, user.email, unix(now()));
      },
    ),

    // Takes the password again, which opens what a fresh user may do. A new session takes the place of
    // this one (ASVS 7.2.4, 7.5.1).
    reauth: post("/reauth", { password: z.string() }, async (ctx, fields) => {
      const user = await current(ctx, parts);
      await perSource(ctx, parts, "login", policy.loginSource);
      const proven = await prove(
        ctx,
        parts,
        user.email,
        normalized(fields.password),
      );
      // A session that was ended meanwhile is not renewed.
      if (proven.id !== user.id || proven.epoch !== user.epoch)
        throw new Problem("not_signed_in");
      const { id: userId, epoch } = user;
      const begun = await ctx.context.adapter.transaction(async (rows) => {
        await store.handOver(rows, user);
        return store.begin(rows, parts, { userId, epoch, before: undefined });
      });
      await store.keep(ctx, begun);
      return profile(user.id, user.email, unix(now()));
    }),

    // Ends the session on the server and makes the browser forget (ASVS 7.4.1, 14.3.1).
    logout: post("/logout", {}, async (ctx) => {
      const user = await maybe(ctx, parts);
      const token = await sessionToken(ctx, parts);
      await ctx.context.adapter.transaction(async (rows) => {
        const ended = token !== undefined && (await store.end(rows, token));
        if (ended && user)
          await audit.record(rows, parts, "logout", { userId: user.id });
      });
      store.forget(ctx);
      return { status: "signed_out" };
    }),

    me: get("/me", async (ctx) => {
      const user = await current(ctx, parts);
      return profile(user.id, user.email, user.authTime[% if module.oidc %], user.amr[% endif %]);
    }),
  };
}
