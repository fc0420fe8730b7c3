/** Sign-up: from an address to a confirmed account. */

import * as z from "zod";

import { canonical } from "./addresses[= js =]";
import * as audit from "./audit[= js =]";
import type { Rows } from "./db[= js =]";
import { type Context, get, post, tokenIn } from "./endpoint[= js =]";
import { mayMail, perSource } from "./limits[= js =]";
import * as mail from "./mail[= js =]";
import type { Parts } from "./parts[= js =]";
import { normalized } from "./passwords[= js =]";
import { Problem } from "./problem[= js =]";
import { digest, random } from "./random[= js =]";
import { prove } from "./signIn[= js =]";
import * as store from "./store[= js =]";
import { hit } from "./throttle[= js =]";
import { now } from "./time[= js =]";
import {
  browserOf,
  consume,
  issue,
  peek,
  type Purpose,
  type TokenRow,
  voidAll,
} from "./tokens[= js =]";
import type { UserRow } from "./user[= js =]";
import { cookieNames, visit } from "./visit[= js =]";

/** The answer to a sign-up, a resend and a forgotten password: the same for every address. */
export const ACCEPTED = {
  status: "accepted",
  next: "Follow the link in the mail.",
};

/** The unique index and the transaction decide between parallel registrations (ASVS 15.4.2). */
async function insert(
  rows: Rows,
  email: string,
  password: string,
): Promise<UserRow | undefined> {
  const taken = await rows.findOne({
    model: "user",
    where: [{ field: "email", value: email }],
  });
  if (taken) return undefined;
  const user = await rows.create<Omit<UserRow, "id">, UserRow>({
    model: "user",
    data: {
      name: "",
      email,
      emailVerified: false,
      epoch: 0,
      failedLogins: 0,
      passwordChangedAt: now(),
      disabledAt: null,
      createdAt: now(),
      updatedAt: now(),
    },
  });
  await rows.create({ model: "account", data: credential(user.id, password) });
  return user;
}

/** The row in which the library keeps a password's hash. */
[% if module.oidc %]export [% endif %]function credential(userId: string, password: string) {
  return {
    userId,
    providerId: "credential",
    accountId: userId,
    password,
    createdAt: now(),
    updatedAt: now(),
  };
}

/** A token that could be used now. */
export async function usable(
  ctx: Context,
  parts: Parts,
  purpose: Purpose,
  token: string,
): Promise<TokenRow> {
  await perSource(ctx, parts, "token", parts.settings.policy.tokenSource);
  const found = await peek(ctx.context.adapter, purpose, token);
  if (!found) {
    await audit.refusal(ctx, parts, "token_refused", "token_invalid");
    throw new Problem("token_invalid");
  }
  return found;
}

function isRegisteringBrowser(found: TokenRow): boolean {
  const { browser } = visit();
  return browser !== undefined && digest(browser) === found.browserHash;
}

async function confirm(
  rows: Rows,
  parts: Parts,
  token: string,
): Promise<UserRow> {
  const used = await consume(rows, "verify", token);
  if (!used) throw new Problem("token_invalid");
  const where = [{ field: "id", value: used.userId }];
  await rows.updateMany({
    model: "user",
    where,
    update: { emailVerified: true },
  });
  await voidAll(rows, used.userId);
  await audit.record(rows, parts, "email_verified", { userId: used.userId });
  const user = await rows.findOne<UserRow>({ model: "user", where });
  if (!user) throw new Problem("token_invalid");
  return user;
}

/** Writes another link, still for the browser that registered and not for the one that asks. */
function renewVerification(
  ctx: Context,
  parts: Parts,
  email: string,
): mail.Writer {
  return () =>
    ctx.context.adapter.transaction(async (rows) => {
      const user = await rows.findOne<UserRow>({
        model: "user",
        where: [{ field: "email", value: email }],
      });
      if (!user || user.emailVerified || user.disabledAt) return undefined;
      const browserHash = await browserOf(rows, user.id);
      const seconds = parts.settings.policy.verifyToken;
      const token = await issue(rows, "verify", {
        userId: user.id,
        email,
        seconds,
        browserHash,
      });
      return mail.verify(parts.settings, email, token);
    });
}

export function accountEndpoints(parts: Parts) {
  const { settings } = parts;
  const { policy } = settings;
  return {
    register: post(
      "/register",
      { email: z.string(), password: z.string() },
      async (ctx, fields) => {
        await perSource(ctx, parts, "register", policy.registerSource);
        const email = canonical(fields.email);
        parts.mail.room();
        const hash = await parts.hasher.hashNew(
          normalized(fields.password),
          settings,
          email,
        );
        const browser = random();
        const letter = await ctx.context.adapter.transaction(async (rows) => {
          const user = await insert(rows, email, hash);
          const browserHash = digest(browser);
          const letter = user
            ? mail.verify(
                settings,
                email,
                await issue(rows, "verify", {
                  userId: user.id,
                  email,
                  seconds: policy.verifyToken,
                  browserHash,
                }),
              )
            : mail.alreadyRegistered(email);
          await audit.record(rows, parts, "register", {
            userId: user?.id,
            email,
          });
          return (await mayMail(rows, parts, email)) ? letter : undefined;
        });
        if (letter) parts.mail.send(letter);
        const { attributes } = ctx.context.authCookies.sessionToken;
        ctx.setCookie(cookieNames(settings).browser, browser, {
          ...attributes,
          maxAge: policy.verifyToken,
        });
        return ACCEPTED;
      },
      202,
    ),

    // Says whether the link still works and whether confirming it will take the password. Shows, never
    // consumes: mail scanners follow links.
    showVerify: get("/verify", async (ctx) => {
      const found = await usable(ctx, parts, "verify", tokenIn(ctx));
      return {
        status: "ready",
[%- if ui == "pages" %]
        email: found.email,
[%- endif %]
        passwordRequired: !isRegisteringBrowser(found),
      };
    }),

    // Confirms an address. The token proves the mailbox but not who chose the password: that takes the
    // browser that registered, or the password. Otherwise a stranger could register an address and have
    // its owner activate it (pre-account takeover). Only that browser is signed in.
    verify: post(
      "/verify",
      { token: z.string(), password: z.string().optional() },
      async (ctx, fields) => {
        const found = await usable(ctx, parts, "verify", fields.token);
        const isSame = isRegisteringBrowser(found);
        if (!isSame) {
          if (fields.password === undefined)
            throw new Problem("password_required");
          await prove(ctx, parts, found.email, normalized(fields.password));
        }
        const signedIn = isSame && visit().session === undefined;
        const begun = await ctx.context.adapter.transaction(async (rows) => {
          const { id, epoch, createdAt } = await confirm(
            rows,
            parts,
            fields.token,
          );
          const given = {
            userId: id,
            epoch,
            before: undefined,
            authenticatedAt: createdAt,
          };
          return signedIn ? store.begin(rows, parts, given) : undefined;
        });
        if (begun) await store.keep(ctx, begun);
        return { status: "verified", signedIn };
      },
    ),

    // Sends another link, if there is an account to confirm. Found out off the request path.
    resend: post(
      "/verify/resend",
      { email: z.string() },
      async (ctx, fields) => {
        await perSource(ctx, parts, "mail", policy.mailSource);
        const email = canonical(fields.email);
        parts.mail.room();
        const verdict = await ctx.context.adapter.transaction(async (rows) => {
          await audit.record(rows, parts, "verification_requested", { email });
          return hit(
            rows,
            parts.keys.of("resend", email),
            1,
            policy.resendEvery,
          );
        });
        if (verdict.isAllowed)
          parts.mail.run(renewVerification(ctx, parts, email));
        return ACCEPTED;
      },
      202,
    ),
  };
}
