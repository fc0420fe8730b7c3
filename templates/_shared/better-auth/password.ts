/** Changing a password, and replacing one that was forgotten. */

import * as z from "zod";

import { ACCEPTED, [% if module.oidc %]credential, [% endif %]usable } from "./accounts[= js =]";
import { canonical } from "./addresses[= js =]";
import * as audit from "./audit[= js =]";
import type { Rows } from "./db[= js =]";
import { type Context, get, post, tokenIn } from "./endpoint[= js =]";
import { mayMail, perSource } from "./limits[= js =]";
import * as mail from "./mail[= js =]";
import type { Parts } from "./parts[= js =]";
import { normalized } from "./passwords[= js =]";
import { Problem } from "./problem[= js =]";
import { notify, ownedBy, prove } from "./signIn[= js =]";
import * as store from "./store[= js =]";
import * as throttle from "./throttle[= js =]";
import { now } from "./time[= js =]";
import { consume, issue } from "./tokens[= js =]";
import { current, type UserRow } from "./user[= js =]";

const CHANGED = "The password of your account was changed.";
const RESET =
  "The password of your account was replaced by way of a mailed link.";

/**
 * Sets a password hash and ends what the old one opened: sessions, links, counters (ASVS 2.3.3). Gives
 * the account's new epoch; nothing if it is disabled, or changed since `epoch`.
 */
async function replace(
  rows: Rows,
  userId: string,
  hash: string,
  epoch?: number,
): Promise<number | undefined> {
  const same = [
    { field: "id", value: userId },
    { field: "disabledAt", value: null },
    ...(epoch === undefined ? [] : [{ field: "epoch", value: epoch }]),
  ];
  const set = { passwordChangedAt: now(), failedLogins: 0 };
  const changed = await rows.incrementOne<UserRow>({
    model: "user",
    where: same,
    increment: { epoch: 1 },
    set,
  });
  if (!changed) return undefined;
[%- if module.oidc %]
  const where = ownedBy(userId);
  const kept = { password: hash, updatedAt: now() };
  // Who signed up at a provider gets a password by way of the mailbox.
  if ((await rows.updateMany({ model: "account", where, update: kept })) === 0)
    await rows.create({ model: "account", data: credential(userId, hash) });
[%- else %]
  const kept = { password: hash, updatedAt: now() };
  await rows.updateMany({
    model: "account",
    where: ownedBy(userId),
    update: kept,
  });
[%- endif %]
  await store.endAll(rows, userId);
  return changed.epoch;
}

/** The mail goes to the stored address, not to the spelling in the request (CVE-2019-19844). */
function writeReset(ctx: Context, parts: Parts, email: string): mail.Writer {
  return () =>
    ctx.context.adapter.transaction(async (rows) => {
      const user = await rows.findOne<UserRow>({
        model: "user",
        where: [{ field: "email", value: email }],
      });
      if (!user || user.disabledAt) return undefined;
      const given = {
        userId: user.id,
        email: user.email,
        seconds: parts.settings.policy.resetToken,
      };
      return mail.reset(
        parts.settings,
        user.email,
        await issue(rows, "reset", given),
      );
    });
}

export function passwordEndpoints(parts: Parts) {
  const { settings } = parts;
  const { policy } = settings;
  return {
    // Replaces the password of the signed-in user, who must know the current one. Every other session
    // ends; this one goes on under a new identifier (ASVS 6.2.3, 7.2.4, 7.4.3).
    changePassword: post(
      "/password",
      { currentPassword: z.string(), newPassword: z.string() },
      async (ctx, fields) => {
        const user = await current(ctx, parts);
        await perSource(ctx, parts, "login", policy.loginSource);
        await prove(ctx, parts, user.email, normalized(fields.currentPassword));
        const hash = await parts.hasher.hashNew(
          normalized(fields.newPassword),
          settings,
          user.email,
        );
        const begun = await ctx.context.adapter.transaction(async (rows) => {
          await store.handOver(rows, user);
          // Nothing if the account changed meanwhile: then this session is over, too.
          const epoch = await replace(rows, user.id, hash, user.epoch);
          if (epoch === undefined) throw new Problem("not_signed_in");
          await audit.record(rows, parts, "password_changed", {
            userId: user.id,
          });
          const given = {
            userId: user.id,
            epoch,
            before: undefined,
            expiresAt: user.expiresAt,
          };
          return store.begin(rows, parts, given);
        });
        await store.keep(ctx, begun);
        await notify(ctx, parts, user.email, CHANGED);
        return { status: "changed" };
      },
    ),

    // Mails a link, if there is an account. Found out off the request path, so that the answer takes as
    // long for every address (ASVS 6.3.8). Nothing changes until the link is used.
    forgot: post(
      "/password/forgot",
      { email: z.string() },
      async (ctx, fields) => {
        await perSource(ctx, parts, "mail", policy.mailSource);
        const email = canonical(fields.email);
        parts.mail.room();
        const isMailed = await ctx.context.adapter.transaction(async (rows) => {
          await audit.record(rows, parts, "reset_requested", { email });
          return mayMail(rows, parts, email);
        });
        if (isMailed) parts.mail.run(writeReset(ctx, parts, email));
        return ACCEPTED;
      },
      202,
    ),

    // Says whether the link still works.
    showReset: get("/password/reset", async (ctx) => {
[%- if ui == "pages" %]
      const { email } = await usable(ctx, parts, "reset", tokenIn(ctx));
      return { status: "ready", email };
[%- else %]
      await usable(ctx, parts, "reset", tokenIn(ctx));
      return { status: "ready" };
[%- endif %]
    }),

    // Sets a new password with a mailed token, which also proves the mailbox: the password that somebody
    // else may have set for this address is gone. Signs nobody in. A password that is refused does not use
    // the token up (ASVS 6.4.1, 6.4.3).
    reset: post(
      "/password/reset",
      { token: z.string(), password: z.string() },
      async (ctx, fields) => {
        const { email } = await usable(ctx, parts, "reset", fields.token);
        const hash = await parts.hasher.hashNew(
          normalized(fields.password),
          settings,
          email,
        );
        await ctx.context.adapter.transaction(async (rows) => {
          const used = await consume(rows, "reset", fields.token);
          if (!used || (await replace(rows, used.userId, hash)) === undefined) {
            throw new Problem("token_invalid");
          }
          const where = [{ field: "id", value: used.userId }];
          await rows.updateMany({
            model: "user",
            where,
            update: { emailVerified: true },
          });
          await throttle.clear(rows, parts.keys.of("account", email));
          await audit.record(rows, parts, "password_reset", {
            userId: used.userId,
          });
        });
        await notify(ctx, parts, email, RESET);
        return { status: "changed" };
      },
    ),
  };
}
