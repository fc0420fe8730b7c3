/**
 * A sign-in that is under way at a provider: what its answer must fit.
 *
 * All of it stays here. The browser holds a random value in a cookie, the provider gets `state`, `nonce`
 * and the challenge; none of them tells another (ASVS 10.1.2, RFC 9700 4.7).
 */

import {
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from "openid-client";

import type { Rows } from "../db[= js =]";
import type { Context } from "../endpoint[= js =]";
import type { Parts } from "../parts[= js =]";
import { digest, random } from "../random[= js =]";
import { after, now } from "../time[= js =]";
import type { Account } from "../user[= js =]";
import { cookieNames, visit } from "../visit[= js =]";
import type { Provider } from "./settings[= js =]";

// So many at most are open in one browser; another takes the place of the oldest.
const OPEN = 5;

const MODEL = "authTransaction";

/** What the answer is for. One that was asked for one thing never does another. */
export type Intent = "login" | "link" | "reauth";

export interface Transaction {
  stateHash: string;
  browserHash: string;
  provider: string;
  issuer: string;
  intent: Intent;
  userId: string | null;
  /** The session's name. */
  session: string | null;
  nonce: string;
  verifier: string;
  next: string;
  createdAt: Date;
  expiresAt: Date;
}

/** What the provider gets of a new transaction; the verifier not before the code comes back. */
export interface Opened {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

/** What somebody wants of a provider, and where they want to be then. */
export interface Wish {
  readonly provider: Provider;
  readonly intent: Intent;
  readonly user: Account | undefined;
  readonly next: string;
}

/** Opens one for the browser of the request, and for its session if there is a `user`. */
export async function open(
  ctx: Context,
  parts: Parts,
  { intent, next, provider, user }: Wish,
): Promise<Opened> {
  const opened = {
    state: randomState(),
    nonce: randomNonce(),
    verifier: randomPKCECodeVerifier(),
  };
  const seconds = parts.settings.oidc.transaction;
  const browser = await ctx.context.adapter.transaction(async (rows) => {
    const browser = (await knownBrowser(rows)) ?? random();
    await makeRoom(rows, browser);
    await rows.create<Transaction>({
      model: MODEL,
      data: {
        stateHash: digest(opened.state),
        browserHash: digest(browser),
        provider: provider.preset.id,
        issuer: provider.issuer,
        intent,
        userId: user?.id ?? null,
        session: user?.session ?? null,
        nonce: opened.nonce,
        verifier: opened.verifier,
        next,
        createdAt: now(),
        expiresAt: after(seconds),
      },
    });
    return browser;
  });
  const { attributes } = ctx.context.authCookies.sessionToken;
  ctx.setCookie(cookieNames(parts.settings).transaction, browser, {
    ...attributes,
    maxAge: seconds,
  });
  return opened;
}

/** The cookie's value if it was made here: then a sign-in in another tab goes on as well. */
async function knownBrowser(rows: Rows): Promise<string | undefined> {
  const { transaction } = visit();
  if (transaction === undefined) return undefined;
  const found = await rows.findOne<Transaction>({
    model: MODEL,
    where: [
      browserIs(transaction),
      { field: "expiresAt", operator: "gt", value: now() },
    ],
  });
  return found ? transaction : undefined;
}

async function makeRoom(rows: Rows, browser: string): Promise<void> {
  await rows.deleteMany({
    model: MODEL,
    where: [{ field: "expiresAt", operator: "lte", value: now() }],
  });
  const mine = await rows.findMany<Transaction>({
    model: MODEL,
    where: [browserIs(browser)],
    sortBy: { field: "createdAt", direction: "desc" },
  });
  for (const { stateHash } of mine.slice(OPEN - 1)) {
    await rows.deleteMany({
      model: MODEL,
      where: [{ field: "stateHash", value: stateHash }],
    });
  }
}

/**
 * Takes a transaction out, whatever comes of it then: of several answers to one, the first counts, and a
 * wrong one is not tried again (ASVS 15.4.2).
 */
export function take(
  ctx: Context,
  state: string,
): Promise<Transaction | undefined> {
  const where = [{ field: "stateHash", value: digest(state) }];
  return ctx.context.adapter.transaction(async (rows) => {
    const found = await rows.findOne<Transaction>({ model: MODEL, where });
    const taken = await rows.deleteMany({ model: MODEL, where });
    return found && taken === 1 ? found : undefined;
  });
}

/**
 * Why an answer does not belong to it, if so: it must come in time, to the browser that began, on the
 * path of the provider that was asked.
 */
export function mismatch(
  taken: Transaction,
  { issuer, preset }: Provider,
): string | undefined {
  const browser = visit().transaction;
  if (browser === undefined || digest(browser) !== taken.browserHash)
    return "browser";
  if (taken.provider !== preset.id || taken.issuer !== issuer)
    return "provider";
  return taken.expiresAt <= now() ? "expired" : undefined;
}

/** Whether who began it is who is signed in here now, in the same session. */
export function isSameUser(taken: Transaction, user: Account): boolean {
  return taken.userId === user.id && taken.session === user.session;
}

function browserIs(browser: string) {
  return { field: "browserHash", value: digest(browser) };
}
