/** Changing the address of an account: the new one must be proven, the old one is told. */

import * as z from "zod";

import { ACCEPTED, usable } from "./accounts[= js =]";
import { canonical } from "./addresses[= js =]";
import * as audit from "./audit[= js =]";
import type { Rows } from "./db[= js =]";
import { type Context, get, post, tokenIn } from "./endpoint[= js =]";
import { mayMail, perSource } from "./limits[= js =]";
import * as mail from "./mail[= js =]";
import type { Parts } from "./parts[= js =]";
import { Problem } from "./problem[= js =]";
import { notify } from "./signIn[= js =]";
import * as store from "./store[= js =]";
import { hit } from "./throttle[= js =]";
import { now } from "./time[= js =]";
import { consume, issue } from "./tokens[= js =]";
import { type Account, current, fresh, type UserRow } from "./user[= js =]";
import { visit } from "./visit[= js =]";

const REQUESTED =
  "Somebody asked to give your account another e-mail address. Nothing changes until the new" +
  " address is confirmed.";
const CHANGED =
  "Your account has another e-mail address now. This one no longer signs in.";

function writeLink(
  ctx: Context,
  parts: Parts,
  user: Account,
  newEmail: string,
): mail.Writer {
  return () =>
    ctx.context.adapter.transaction(async (rows) => {
      const taken = await rows.findOne({
        model: "user",
        where: [{ field: "email", value: newEmail }],
      });
      if (taken) return mail.alreadyRegistered(newEmail);
      const seconds = parts.settings.policy.emailToken;
      const token = await issue(rows, "email_change", {
        userId: user.id,
        email: user.email,
        seconds,
        newEmail,
      });
      return mail.emailChange(parts.settings, newEmail, token);
    });
}

/**
 * The token proves the new mailbox, the session that it is the account's user who asked: a mistyped
 * address does not give the account away. Nobody else learns whose the token is.
 */
async function proven(
  ctx: Context,
  parts: Parts,
  user: Account,
  token: string,
): Promise<string> {
  const found = await usable(ctx, parts, "email_change", token);
  if (found.userId !== user.id || found.newEmail === null)
    throw new Problem("token_invalid");
  return found.newEmail;
}

/** Nothing if the account changed meanwhile, or somebody else has the address by now. */
async function replace(
  rows: Rows,
  user: Account,
  email: string,
): Promise<number | undefined> {
  if (
    await rows.findOne({
      model: "user",
      where: [{ field: "email", value: email }],
    })
  )
    return undefined;
  const same = [
    { field: "id", value: user.id },
    { field: "epoch", value: user.epoch },
    { field: "disabledAt", value: null },
  ];
  const set = { email, emailVerified: true, updatedAt: now() };
  const changed = await rows.incrementOne<UserRow>({
    model: "user",
    where: same,
    increment: { epoch: 1 },
    set,
  });
  if (changed) await store.endAll(rows, user.id);
  return changed?.epoch;
}

export function emailChangeEndpoints(parts: Parts) {
  const { policy } = parts.settings;
  return {
    // Mails a link to the new address and a notice to the old one, which stays in use until the link is.
    // The answer is the same for an address that has an account (ASVS 6.3.7, 6.3.8).
    changeEmail: post(
      "/email",
      { email: z.string() },
      async (ctx, fields) => {
        const user = await fresh(ctx, parts);
        await perSource(ctx, parts, "mail", policy.mailSource);
        const newEmail = canonical(fields.email);
        if (newEmail === user.email) throw new Problem("email_unchanged");
        parts.mail.room();
        const { tells, isMailed } = await ctx.context.adapter.transaction(
          async (rows) => {
            await audit.record(rows, parts, "email_change_requested", {
              userId: user.id,
              email: newEmail,
            });
            // A counter of its own: those that strangers can fill must not keep the owner from knowing.
            const counter = parts.keys.of("email_change_notice", user.id);
            const tells = (await hit(rows, counter, policy.mailAddress, 60))
              .isAllowed;
            return { tells, isMailed: await mayMail(rows, parts, newEmail) };
          },
        );
        if (tells)
          parts.mail.send(mail.notice(user.email, REQUESTED, visit().ip));
        if (isMailed) parts.mail.run(writeLink(ctx, parts, user, newEmail));
        return ACCEPTED;
      },
      202,
    ),

    // Says which address the link would confirm, for the user who asked.
    showEmailChange: get("/email/confirm", async (ctx) => {
      const user = await current(ctx, parts);
      return {
        status: "ready",
        email: await proven(ctx, parts, user, tokenIn(ctx)),
      };
    }),

    // Puts the new address in place. Every other session and every link ends; this session goes on under
    // a new identifier (ASVS 7.2.4, 7.4.3).
    confirmEmailChange: post(
      "/email/confirm",
      { token: z.string() },
      async (ctx, fields) => {
        const user = await current(ctx, parts);
        const email = await proven(ctx, parts, user, fields.token);
        const begun = await ctx.context.adapter.transaction(async (rows) => {
          await store.handOver(rows, user);
          const used = await consume(rows, "email_change", fields.token);
          const epoch =
            used?.userId === user.id
              ? await replace(rows, user, email)
              : undefined;
          if (epoch === undefined) throw new Problem("token_invalid");
          await audit.record(rows, parts, "email_changed", { userId: user.id });
          return store.begin(rows, parts, {
            userId: user.id,
            epoch,
            before: undefined,
[%- if module.oidc %]
            amr: user.amr,
[%- endif %]
            authenticatedAt: new Date(user.authTime * 1000),
            expiresAt: user.expiresAt,
          });
        });
        await store.keep(ctx, begun);
        await notify(ctx, parts, user.email, CHANGED);
        return { status: "changed", email };
      },
    ),
  };
}
