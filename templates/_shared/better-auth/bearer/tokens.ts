/**
 * Tokens for programs: a signed access token for minutes, and a refresh token that is replaced at every
 * use.
 *
 * A sign-in of a program is a family: one row, which all its tokens refer to and which each use of one
 * reads. What ends the family ends them at once (ASVS 7.4.1).
 */

import * as z from "zod";

import * as audit from "../audit[= js =]";
import { type Context, get, post } from "../endpoint[= js =]";
import { perSource } from "../limits[= js =]";
import type { Parts } from "../parts[= js =]";
import { Problem } from "../problem[= js =]";
import { device as deviceOf } from "../sessions[= js =]";
import { admitted } from "../signIn[= js =]";
import { after, now } from "../time[= js =]";
import { maybe } from "../user[= js =]";
import { visit } from "../visit[= js =]";
import { TokenRefusal } from "./access[= js =]";
import * as families from "./families[= js =]";
import { apiUser } from "./guard[= js =]";
import { narrowed } from "./scopes[= js =]";

// A device's name has so many characters at most, all of them visible.
const DEVICE = /^[^\p{C}\p{Zl}\p{Zp}]{1,100}$/u;

/** The same as a login, with the same throttles, up to where that begins a session. */
async function byPassword(
  ctx: Context,
  parts: Parts,
  given: { email?: string | undefined; password?: string | undefined },
): Promise<families.Grant> {
  const { email, password } = given;
  if (email === undefined || password === undefined)
    throw new Problem("invalid_fields");
  const { id, epoch } = await admitted(ctx, parts, { email, password });
  return {
    userId: id,
    epoch,
    session: null,
    amr: "pwd",
    authenticatedAt: now(),
    expiresAt: after(parts.settings.policy.refreshAbsolute),
  };
}

/** For a program in the user's browser. What it gets ends with the session. */
async function bySession(ctx: Context, parts: Parts): Promise<families.Grant> {
  const { policy } = parts.settings;
  await perSource(ctx, parts, "refresh", policy.refreshSource);
  const user = await maybe(ctx, parts);
  if (!user) throw new Problem("not_signed_in");
  const latest = after(policy.refreshAbsolute);
  return {
    userId: user.id,
    epoch: user.epoch,
    session: user.session,
    amr: [% if module.oidc %]user.amr[% else %]"pwd"[% endif %],
    authenticatedAt: new Date(user.authTime * 1000),
    expiresAt: user.expiresAt < latest ? user.expiresAt : latest,
  };
}

/** The name that the program gave itself, or what it seems to be. */
function named(device: string | undefined): string {
  if (device === undefined) return deviceOf(visit().agent);
  const name = device.trim();
  if (!DEVICE.test(name)) throw new Problem("invalid_fields");
  return name;
}

/** The tokens, as RFC 6749 5.1 names them. */
async function answer(
  parts: Parts,
  family: families.Family,
  scope: string,
  refreshToken: string,
) {
  return {
    access_token: await parts.access.sign(family, scope),
    token_type: "Bearer",
    expires_in: parts.access.lifetime(family),
    refresh_token: refreshToken,
    scope,
  };
}

export function tokenEndpoints(parts: Parts) {
  const { policy, tokens } = parts.settings;
  return {
    // Begins a family and answers with its first tokens.
    issueTokens: post(
      "/token",
      {
        grant: z.enum(["password", "session"]),
        email: z.string().optional(),
        password: z.string().optional(),
        device: z.string().optional(),
        scope: z.string().optional(),
      },
      async (ctx, fields) => {
        const scope = narrowed(tokens.scopes, fields.scope);
        const device = named(fields.device);
        const grant =
          fields.grant === "password"
            ? await byPassword(ctx, parts, fields)
            : await bySession(ctx, parts);
        return ctx.context.adapter.transaction(async (rows) => {
          const limit = policy.sessions;
          const family = await families.begin(
            rows,
            grant,
            device,
            scope,
            limit,
          );
          const next = await families.nextToken(rows, family, policy);
          const { userId } = grant;
          await audit.record(rows, parts, "token_issued", { userId });
          return answer(parts, family, scope, next);
        });
      },
    ),

    // Answers with new tokens. A refresh token that was used before means that two have it: the whole family
    // ends, for the thief and for the owner, who signs in again (RFC 9700 4.14.2).
    refreshTokens: post(
      "/token/refresh",
      { refresh_token: z.string(), scope: z.string().optional() },
      async (ctx, fields) => {
        await perSource(ctx, parts, "refresh", policy.refreshSource);
        const token = fields.refresh_token;
        const { shown, fresh } = await ctx.context.adapter.transaction(
          async (rows) => {
            const family = await families.ofRefreshToken(rows, token);
            if (!family) return { shown: "over" } as const;
            const shown = await families.useUp(rows, family, token);
            const { id, userId } = family;
            if (shown === "again") {
              await families.revoke(rows, id);
              const reason = "invalid_grant";
              await audit.record(rows, parts, "token_reuse", {
                userId,
                reason,
              });
            }
            if (shown !== "next") return { shown };
            // A scope that was never granted is an error that uses nothing up.
            const scope = narrowed(family.scope, fields.scope);
            const next = await families.nextToken(rows, family, policy);
            await audit.record(rows, parts, "token_refreshed", { userId });
            return { shown, fresh: await answer(parts, family, scope, next) };
          },
        );
        if (fresh) return fresh;
        if (shown === "over")
          await audit.refusal(ctx, parts, "token_refused", "invalid_grant");
        throw new Problem("invalid_grant");
      },
    ),

    // Ends the family of a refresh token or an access token. Who has a token may do so. The answer is the same
    // for any text, so it tells nobody what is a token (RFC 7009).
    revokeTokens: post(
      "/token/revoke",
      { token: z.string() },
      async (ctx, fields) => {
        await perSource(ctx, parts, "revoke", policy.refreshSource);
        const named = await parts.access
          .read(fields.token)
          .catch((error: unknown) => {
            if (error instanceof TokenRefusal) return undefined;
            throw error;
          });
        await ctx.context.adapter.transaction(async (rows) => {
          const family = named
            ? await families.find(rows, named.sid)
            : await families.ofRefreshToken(rows, fields.token);
          if (family && (await families.revoke(rows, family.id))) {
            const { userId } = family;
            await audit.record(rows, parts, "token_revoked", { userId });
          }
        });
        return { status: "revoked" };
      },
    ),

    // Whose token it is, and what it may do.
    tokenOwner: get("/token/me", async (ctx) => {
      const { id, scope, device } = await apiUser(ctx, parts);
      return { id, scope, device };
    }),

    // The public keys, for services that check tokens themselves (RFC 7517).
    publicKeys: get("/jwks.json", () => parts.access.published()),
  };
}
