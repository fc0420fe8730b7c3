/** The way back from a provider. */

import { setTimeout } from "node:timers/promises";

import { type Context, get } from "../endpoint[= js =]";
import type { Parts } from "../parts[= js =]";
import { maybe } from "../user[= js =]";
import { type Person, person, type Returned } from "./exchange[= js =]";
import { Refused, told, Unavailable } from "./failure[= js =]";
import * as identities from "./identities[= js =]";
[%- if 'github' in providers %]
import { person as personOfApi } from "./oauth[= js =]";
[%- endif %]
import type { Provider } from "./settings[= js =]";
import { named, redirectUri } from "./start[= js =]";
import { isSameUser, mismatch, take, type Transaction } from "./transaction[= js =]";

// All calls of one request together.
const PATIENCE_MILLISECONDS = 10_000;

/** Returns where to go then. The transaction is used up first, whatever the answer turns out to be. */
async function finish(
  ctx: Context,
  parts: Parts,
  provider: Provider,
): Promise<string> {
  const url = new URL(redirectUri(parts, provider));
  url.search = new URL(ctx.request?.url ?? url).search;
  // One that comes twice is none: two readers could take different ones (ASVS 15.3.7).
  const [state, ...others] = url.searchParams.getAll("state");
  if (!state || others.length > 0) throw new Refused("state");
  const taken = await take(ctx, state);
  if (!taken) throw new Refused("state");
  const reason = mismatch(taken, provider);
  if (reason !== undefined) throw new Refused(reason);
  const found = await patiently(
    identified(parts, provider, { url, state, taken }),
  );
  await act(ctx, parts, provider, found, taken);
  return taken.next;
}

async function patiently<T>(work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const end = setTimeout(PATIENCE_MILLISECONDS, undefined, timer).then(() => {
    throw new Unavailable();
  });
  try {
    return await Promise.race([work, end]);
  } finally {
    timer.abort();
  }
}

async function identified(
  parts: Parts,
  provider: Provider,
  returned: Returned,
): Promise<Person> {
[%- if 'github' in providers %]
  if (provider.preset.endpoints)
    return personOfApi(
      parts.oidc,
      provider,
      provider.preset.endpoints,
      returned,
    );
[%- endif %]
  return person(provider, await parts.oidc.known(provider), returned);
}

/** Linking and proving anew are for the session that began them and for nobody else. */
async function act(
  ctx: Context,
  parts: Parts,
  provider: Provider,
  found: Person,
  taken: Transaction,
): Promise<void> {
  if (taken.intent === "login")
    return identities.signIn(ctx, parts, provider, found);
  const user = await maybe(ctx, parts);
  if (!user || !isSameUser(taken, user)) throw new Refused("session");
  if (taken.intent === "link")
    return identities.link(ctx, parts, user, provider, found);
  return identities.reauth(ctx, parts, user, found, taken.createdAt);
}

export function callbackEndpoints(parts: Parts) {
  return {
    // Signs in, links, or proves anew, as the transaction says. The answer leads away at once: the address
    // with the code is left behind (ASVS 14.2.1, RFC 9700 4.2.4).
    callbackOidc: get("/oidc/:provider/callback", async (ctx) => {
      const provider = named(ctx, parts);
      const location = await told(ctx, parts, () =>
        finish(ctx, parts, provider),
      );
      ctx.setStatus(303);
      ctx.setHeader("Location", location);
      return { location };
    }),
  };
}
